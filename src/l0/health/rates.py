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
        self._lock = threading.Lock()
        self._failures = self._calls = 0
        # For each second in which something ended: what the two counts were before it. A rate is then one
        # subtraction, whatever its length.
        self._starts: list[int] = []
        self._before: list[tuple[int, int]] = []

    def record(self, *, failed: bool) -> None:
        """One call ended now."""
        second = int(self._clock())
        with self._lock:
            if not self._starts or second > self._starts[-1]:
                self._starts.append(second)
                self._before.append((self._failures, self._calls))
                if len(self._starts) > self._horizon:
                    del self._starts[0], self._before[0]
            self._failures += failed
            self._calls += 1

    def rate(self, seconds: float) -> tuple[int, int]:
        """As `FailureRate.rate`. The second in which the span begins is left out, as it began before the span did."""
        since = self._clock() - min(seconds, self._horizon)
        with self._lock:
            first = bisect_left(self._starts, since)
            if first == len(self._starts):
                return 0, 0
            failures, calls = self._before[first]
            return self._failures - failures, self._calls - calls
