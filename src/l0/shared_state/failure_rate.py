"""How many of the last calls failed: the figure that opens a circuit breaker."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Callable
from typing import Protocol

from .forks import renew_in_child

HORIZON = 600
"""Seconds that a sliding window remembers."""


class FailureRate(Protocol):
    """Where a breaker gets its figures: a window of its own, or the windows of an SLO. Answers at once."""

    def rate(self, seconds: float) -> tuple[int, int]:
        """Failures and all calls that ended within the last ``seconds``, and none that ended before."""
        ...


class SlidingWindow:
    """Outcomes by the second, for ten minutes at most. ``clock``: seconds, monotonic."""

    def __init__(self, clock: Callable[[], float], horizon: int = HORIZON) -> None:
        self._clock = clock
        self._horizon = horizon
        self.renew()
        renew_in_child(self)

    def renew(self) -> None:
        """Forget every outcome."""
        self._lock = threading.RLock()
        self._failures = self._calls = 0
        # For each second in which something ended: what the two counts were before it. A rate is then one
        # subtraction, whatever its length. One list, so that an interruption never sees half of an entry.
        self._seconds: list[tuple[int, int, int]] = []

    def record(self, *, failed: bool) -> None:
        """One call ended now."""
        second = int(self._clock())
        with self._lock:
            if not self._seconds or second > self._seconds[-1][0]:
                self._seconds.append((second, self._failures, self._calls))
                if len(self._seconds) > self._horizon:
                    del self._seconds[0]
            self._failures += failed
            self._calls += 1

    def rate(self, seconds: float) -> tuple[int, int]:
        """As `FailureRate.rate`. The second in which the span begins is left out, as it began before the span did."""
        since = self._clock() - min(seconds, self._horizon)
        with self._lock:
            first = bisect_left(self._seconds, (since,))
            if first == len(self._seconds):
                return 0, 0
            _, failures, calls = self._seconds[first]
            return self._failures - failures, self._calls - calls
