"""Count the failures among recent calls. A circuit breaker trips on their share."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Callable
from typing import Protocol

from .forks import renew_in_child

HORIZON = 600
"""Length of a sliding window, in s."""


class FailureRate(Protocol):
    """The source of a breaker's failure counts: its own window, or the windows of an SLO. It never blocks."""

    def counts(self, seconds: float) -> tuple[int, int]:
        """Return the number of failures and of all calls that ended within the last ``seconds``."""
        ...


class SlidingWindow:
    """Outcomes per second of the last ``horizon`` s. ``clock``: monotonic, in seconds."""

    def __init__(self, clock: Callable[[], float], horizon: int = HORIZON) -> None:
        self._clock = clock
        self._horizon = horizon
        self.renew()
        renew_in_child(self)

    def renew(self) -> None:
        """Forget every outcome."""
        self._lock = threading.RLock()
        self._failures = self._calls = 0
        # One entry per second in which a call ended: the second, and both counts before it. The counts of any window
        # are then one subtraction. Each entry is one tuple, so an interruption cannot leave half of an entry.
        self._seconds: list[tuple[int, int, int]] = []

    def record(self, *, failed: bool) -> None:
        """Record the outcome of a call that ended now."""
        self.add(int(failed), 1)

    def add(self, failures: int, calls: int) -> None:
        """Record the outcomes of calls that ended now."""
        second = int(self._clock())
        with self._lock:
            if not self._seconds or second > self._seconds[-1][0]:
                self._seconds.append((second, self._failures, self._calls))
                if len(self._seconds) > self._horizon:
                    del self._seconds[0]
            self._failures += failures
            self._calls += calls

    def counts(self, seconds: float) -> tuple[int, int]:
        """As `FailureRate.counts`, without the second in which the window begins: it began before the window."""
        since = self._clock() - min(seconds, self._horizon)
        with self._lock:
            first = bisect_left(self._seconds, (since,))
            if first == len(self._seconds):
                return 0, 0
            _, failures, calls = self._seconds[first]
            return self._failures - failures, self._calls - calls
