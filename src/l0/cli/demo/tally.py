"""The demo's own observer: what l0 tells of attempts, beside spans and metrics."""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext

from l0.values.calls import Call
from l0.values.events import AttemptStarted, CallEnded, Event


class AttemptTally:
    """Counts by provider. An `l0.values.ports.Observer`; safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.attempts: Counter[str] = Counter()
        self.failed: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self.retried: defaultdict[str, Counter[str]] = defaultdict(Counter)

    def watch(self, call: Call) -> _CallTally:
        """Listens to every call."""
        return _CallTally(self, call.provider)

    def told(self, provider: str, event: Event) -> None:
        """Count one event."""
        match event:
            case AttemptStarted():
                with self._lock:
                    self.attempts[provider] += 1
            case CallEnded(failures=failures, attempts=attempts):
                with self._lock:
                    self.failed[provider].update(failure.cause.value for failure in failures)
                    # Every attempt but the last one was followed by a retry.
                    self.retried[provider].update(failure.cause.value for failure in failures[: attempts - 1])
            case _:
                pass


class _CallTally:
    """One call's share."""

    def __init__(self, tally: AttemptTally, provider: str) -> None:
        self._tally = tally
        self._provider = provider

    def notify(self, event: Event) -> None:
        self._tally.told(self._provider, event)

    def active(self) -> AbstractContextManager[object]:
        return nullcontext()

    def headers(self) -> Mapping[str, str]:
        return {}
