"""Check API keys and rate limits as the providers do."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from l0.model.option_names import refuses_unknown_options

from .http import HttpRequest

_MINUTE = 60.0


def is_authorized(request: HttpRequest, api_keys: tuple[str, ...]) -> bool:
    """Return True if a request has one of the keys, in the header of any provider, or if no key is required."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    keys = {request.headers.get(name) for name in ("x-api-key", "api-key", "x-goog-api-key")}
    return not api_keys or bool(keys.union({token.strip()} if scheme.lower() == "bearer" else ()) & set(api_keys))


@refuses_unknown_options
@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimits:
    """Limits per minute, shared by all clients. None: no limit. Raises `ValueError` for a limit below 1."""

    requests_per_minute: int | None = None
    input_tokens_per_minute: int | None = None

    def __post_init__(self) -> None:
        for name in ("requests_per_minute", "input_tokens_per_minute"):
            limit = getattr(self, name)
            if limit is not None and limit < 1:
                raise ValueError(f"{name}: {limit!r} given, allowed is 1 or more")


class LimitState(NamedTuple):
    """One limit after a request: its size, what remains of it, and the seconds until all of it is free again."""

    limit: int
    remaining: int
    reset_s: float


class RateLimiter:
    """Counts requests and tokens in buckets that refill evenly within a minute. Used by one thread.

    `clock` returns the time in seconds.
    """

    def __init__(self, limits: RateLimits, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._limits = {"requests": limits.requests_per_minute, "tokens": limits.input_tokens_per_minute}
        self._used = {"requests": 0.0, "tokens": 0.0}
        self._refilled_at = clock()

    def take(self, tokens: int) -> float:
        """Count a request with its tokens, and return 0. If it is over a limit, return the seconds to wait instead, and
        count nothing."""
        self._refill()
        cost = {"requests": 1, "tokens": tokens}
        waits = [
            # A request larger than its limit is served by a full bucket: no wait could ever make room for it.
            (self._used[name] + min(cost[name], limit) - limit) / limit * _MINUTE
            for name, limit in self._limits.items()
            if limit is not None
        ]
        wait = max(waits, default=0.0)
        if wait > 1e-9:  # less is a rounding error
            return wait
        for name in self._used:
            self._used[name] += cost[name]
        return 0.0

    def states(self) -> Mapping[str, LimitState]:
        """Return the state of each limit, by `requests` and `tokens`."""
        return {
            name: LimitState(limit, max(0, math.floor(limit - self._used[name])), self._used[name] / limit * _MINUTE)
            for name, limit in self._limits.items()
            if limit is not None
        }

    def _refill(self) -> None:
        now = self._clock()
        for name, limit in self._limits.items():
            if limit is not None:
                self._used[name] = max(0.0, self._used[name] - (now - self._refilled_at) / _MINUTE * limit)
        self._refilled_at = now
