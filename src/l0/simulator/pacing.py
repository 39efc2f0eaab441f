"""Simulate the speed of a model: log-normal delays, much longer ones for some requests, all from one seed."""

import math
import random
from collections.abc import Callable
from dataclasses import dataclass

from l0.model.option_names import refuses_unknown_options

_MAX_VALUE = 10_000_000
_MAX_SECONDS = 86_400.0
"""The longest delay, in seconds."""


@refuses_unknown_options
@dataclass(frozen=True, slots=True, kw_only=True)
class Delays:
    """Delays of one simulated model.

    `first_token_ms` and `inter_token_ms` are medians in milliseconds. `sigma` is the spread (standard deviation of the
    logarithm). `stragglers` is the share of requests (0 to 1) whose delays are `straggler_factor` times longer. Under
    load, delays grow evenly with the number of concurrent requests: with `capacity` of them they are `load_factor`
    times as long as with one, and beyond that longer still. Raises `ValueError` for values out of range.
    """

    first_token_ms: float = 0.0
    inter_token_ms: float = 0.0
    sigma: float = 0.5
    stragglers: float = 0.0
    straggler_factor: float = 10.0
    load_factor: float = 1.0
    capacity: int = 8

    def __post_init__(self) -> None:
        for name in ("first_token_ms", "inter_token_ms", "sigma", "straggler_factor", "load_factor"):
            if not 0 <= getattr(self, name) <= _MAX_VALUE:  # NaN fails every comparison
                raise ValueError(f"{name}: {getattr(self, name)!r} given, allowed is 0 or more, up to {_MAX_VALUE:,}")
        if not 0 <= self.stragglers <= 1:
            raise ValueError(f"stragglers: {self.stragglers!r} given, allowed is 0 to 1")
        for name, least in (("load_factor", 1), ("capacity", 2)):
            if getattr(self, name) < least:
                raise ValueError(f"{name}: {getattr(self, name)!r} given, allowed is {least} or more")

    def factor_at(self, concurrent: int) -> float:
        """Return how many times longer the delays are with that many concurrent requests."""
        return 1 + (self.load_factor - 1) * max(0, concurrent - 1) / (self.capacity - 1)


class Pacer:
    """The delays of one request, in seconds. Without load they depend only on seed and index.

    `concurrent` returns the number of requests that are being answered, including this one.
    """

    __slots__ = ("_concurrent", "_delays", "_factor", "_random")

    def __init__(self, delays: Delays, *, seed: int, index: int, concurrent: Callable[[], int] = lambda: 1) -> None:
        self._delays = delays
        self._concurrent = concurrent
        self._random = random.Random(f"{seed}:{index}")
        is_straggler = self._random.random() < delays.stragglers
        self._factor = delays.straggler_factor if is_straggler else 1.0

    def first_token(self) -> float:
        """Return the seconds until the first content event."""
        return self._draw(self._delays.first_token_ms)

    def inter_token(self) -> float:
        """Return the seconds between two content events."""
        return self._draw(self._delays.inter_token_ms)

    def _draw(self, median_ms: float) -> float:
        if median_ms <= 0:
            return 0.0
        exponent = min(self._random.gauss(math.log(median_ms), self._delays.sigma), 100.0)
        factor = self._factor * self._delays.factor_at(self._concurrent())
        return min(math.exp(exponent) * factor / 1000, _MAX_SECONDS)
