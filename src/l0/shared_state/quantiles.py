"""Keep observed first-content times. Their quantiles set the times of hedges and of adaptive deadlines.

Only the last 200 samples are kept, so quantiles are exact and old samples expire. Samples are sorted when a quantile is
read, which is once per call that hedges; adding a sample is then one atomic step without a lock. Sketches (DDSketch,
t-digest, P2) only estimate, and their samples never expire: a provider that was slow yesterday would count as slow for
as many calls as it served before.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Sequence
from math import ceil, inf

from .forks import renew_in_child
from .keyed import MAX_KEYS, Keyed

LAST = 200
"""Number of samples that are kept."""
MIN_COUNT = 20
"""Minimum number of samples for a quantile."""
SHORTEST = 2.0
"""Minimum of an adaptive deadline, in s."""

_SIZES = ("small", "medium", "large", "huge")
_BOUNDS = (4_000, 40_000, 400_000)  # characters: about 1,000, 10,000 and 100,000 tokens of English

Series = tuple[str, str, str]
"""Provider, model and size class of the prompt."""


def prompt_size(characters: int) -> str:
    """Return the size class of a prompt: ``small``, ``medium``, ``large`` or ``huge``, each ten times the last."""
    return _SIZES[bisect_right(_BOUNDS, characters)]


class Quantiles:
    """The last ``last`` samples, in seconds. Every quantile is ``None`` until there are ``min_count`` of them."""

    def __init__(self, *, last: int = LAST, min_count: int = MIN_COUNT) -> None:
        self._last = last
        self._min_count = min_count
        self.renew()
        renew_in_child(self)

    def renew(self) -> None:
        """Drop every sample."""
        self._samples: deque[float] = deque(maxlen=self._last)

    def __len__(self) -> int:
        return len(self._samples)

    def add(self, seconds: float) -> None:
        """Add one first-content time. A negative, infinite or NaN value is ignored.

        Callers also add abandoned attempts, with the time for which they waited. Otherwise a deadline would only
        learn from the calls that met it.
        """
        if not 0.0 <= seconds < inf:
            return
        self._keep(seconds)

    def _keep(self, seconds: float) -> None:
        self._samples.append(seconds)

    def quantile(self, share: float) -> float | None:
        """Return the smallest sample in s that a ``share`` (0 to 1) of all samples does not exceed."""
        ordered = sorted(self._latest())
        number = len(ordered)
        if number < self._min_count:
            return None
        return ordered[max(0, ceil(share * number - 1e-9) - 1)]  # 1e-9: rounding of share * number must not add a rank

    def _latest(self) -> Sequence[float]:
        return self._samples.copy()

    @property
    def p95(self) -> float | None:
        """The 95th percentile in s: a hedge starts after this time."""
        return self.quantile(0.95)

    @property
    def p99(self) -> float | None:
        """The 99th percentile in s."""
        return self.quantile(0.99)

    def deadline(self, limit: float | None) -> float | None:
        """Return the adaptive first-content deadline in s: twice the p99, at least 2 s, at most ``limit``."""
        p99 = self.p99
        if p99 is None:
            return None
        return min(max(2.0 * p99, SHORTEST), inf if limit is None else limit)


class FirstTokenLatencies(Keyed[Series, Quantiles]):
    """The first-content latencies of a process: ``latencies[provider, model, prompt_size(characters)]``.

    ``make``: create the quantiles of a series.
    """

    def __init__(self, max_keys: int = MAX_KEYS, make: Callable[[Series], Quantiles] = lambda _: Quantiles()) -> None:
        super().__init__(make, max_keys)
