"""An observer that counts attempts, failures and retries for the demo."""

from __future__ import annotations

import threading
from collections import Counter, defaultdict

from l0.model.call import Call
from l0.model.call_events import AttemptStarted, CallEnded, CallEvent
from l0.model.ports import CallObserver, Observer

Counts = dict[str, Counter[str]]


class AttemptTally(Observer):
    """Counts attempts by provider; safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._attempts: Counter[str] = Counter()
        self._failed: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._retried: defaultdict[str, Counter[str]] = defaultdict(Counter)

    def snapshot(self) -> tuple[Counter[str], Counts, Counts]:
        """Return attempts by provider, and failures and retries by provider and cause."""
        with self._lock:
            failed, retried = ({name: Counter(of) for name, of in by.items()} for by in (self._failed, self._retried))
            return Counter(self._attempts), failed, retried

    def clear(self) -> None:
        """Reset all counts."""
        with self._lock:
            self._attempts.clear()
            self._failed.clear()
            self._retried.clear()

    def observe(self, call: Call) -> CallObserver:
        """Return an observer for one call."""
        return _CallTally(self, call.provider)

    def count(self, provider: str, event: CallEvent) -> None:
        """Count one event."""
        match event:
            case AttemptStarted():
                with self._lock:
                    self._attempts[provider] += 1
            case CallEnded(failures=failures, attempts=attempts):
                with self._lock:
                    self._failed[provider].update(failure.cause.value for failure in failures)
                    # Every attempt but the last one was followed by a retry.
                    self._retried[provider].update(failure.cause.value for failure in failures[: attempts - 1])
            case _:
                pass


class _CallTally(CallObserver):
    """Observer of one call."""

    def __init__(self, tally: AttemptTally, provider: str) -> None:
        self._tally = tally
        self._provider = provider

    def notify(self, event: CallEvent) -> None:
        self._tally.count(self._provider, event)
