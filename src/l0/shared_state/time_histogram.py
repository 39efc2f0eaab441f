"""Count durations in buckets, in constant memory: a bucket is 10 % wide."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from math import inf, isfinite

# From a tenth of a millisecond to twenty minutes; each bound is 1.1 times the one before.
BOUNDS = tuple(0.0001 * 1.1**step for step in range(172))
"""The upper bounds of the buckets, in seconds. The last bucket has none."""
UPPER_BOUNDS = (*BOUNDS, inf)
"""The same, with infinity for the last bucket."""


class TimeHistogram:
    """All durations since the process began. `Quantiles`, in contrast, keeps only the latest."""

    __slots__ = ("_counts", "_longest", "number")

    def __init__(self) -> None:
        self._counts: dict[int, int] = {}
        self._longest = 0.0
        self.number = 0
        """The number of durations."""

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
        bounds = [(UPPER_BOUNDS[bucket], count) for bucket, count in sorted(self._counts.items())]
        return min(quantile(bounds, share * self.number), self._longest)


def quantile(buckets: Iterable[tuple[float, int]], rank: float) -> float:
    """Return the upper bound of the bucket that holds the value of this rank, 1 for the smallest; 0 if none does.

    ``buckets``: upper bounds and counts, smallest first.
    """
    seen = 0
    for bound, count in buckets:
        seen += count
        if seen >= rank:
            return bound
    return 0.0
