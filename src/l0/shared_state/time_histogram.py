"""Count durations by size, in constant memory: each size is kept to 10 %."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from math import inf, isfinite

# A tenth of a millisecond to twenty minutes, each 1.1 times the last.
BOUNDS = tuple(0.0001 * 1.1**step for step in range(172))
"""The upper bounds of the buckets, in seconds, without the last one."""
WITHIN = (*BOUNDS, inf)
"""The upper bounds of all buckets."""


class TimeHistogram:
    """The durations of a whole process, unlike those of `Quantiles`, which keeps the latest."""

    __slots__ = ("_counts", "_longest", "number")

    def __init__(self) -> None:
        self._counts: dict[int, int] = {}
        self._longest = 0.0
        self.number = 0

    def add(self, seconds: float, count: int = 1) -> None:
        """Add a duration, ``count`` times. A negative, infinite or NaN value is ignored."""
        if not isfinite(seconds) or seconds < 0:
            return
        bucket = bisect_left(BOUNDS, seconds)
        self._counts[bucket] = self._counts.get(bucket, 0) + count
        self._longest = max(self._longest, seconds)
        self.number += count

    def quantile(self, share: float) -> float | None:
        """Return the duration in s that a ``share`` (0 to 1) of all does not exceed; ``None`` if there is none."""
        if not self.number:
            return None
        bounds = [(WITHIN[bucket], count) for bucket, count in sorted(self._counts.items())]
        return min(quantile(bounds, share * self.number), self._longest)


def quantile(buckets: Iterable[tuple[float, int]], wanted: float) -> float:
    """Return the upper bound of the first bucket with which ``wanted`` values are reached; 0 without any.

    ``buckets``: upper bounds and counts, smallest first.
    """
    seen = 0
    for bound, count in buckets:
        seen += count
        if seen >= wanted:
            return bound
    return 0.0
