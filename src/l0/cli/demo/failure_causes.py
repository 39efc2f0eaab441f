"""An observer that keeps the causes of the failed attempts of each call of the demo."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar

from l0.model.call import Call
from l0.model.call_events import CallEnded, CallEvent
from l0.model.failure import Cause

_NUMBER: ContextVar[int | None] = ContextVar("l0_demo_call", default=None)


@contextmanager
def numbered(number: int) -> Iterator[None]:
    """Mark the calls of this block as the demo's call with this number."""
    token = _NUMBER.set(number)
    try:
        yield
    finally:
        _NUMBER.reset(token)


class FailureCauses:
    """The causes of the failed attempts of each call. An `l0.types.Observer`; safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._causes: dict[int, tuple[Cause, ...]] = {}
        self.unstreamed: set[int] = set()
        """Numbers of the calls whose SDK reads the answer as one object."""

    def snapshot(self) -> dict[int, tuple[Cause, ...]]:
        """Return the causes of the failed attempts of each call, in order."""
        with self._lock:
            return dict(self._causes)

    def clear(self) -> None:
        """Forget all calls."""
        with self._lock:
            self._causes.clear()
            self.unstreamed.clear()

    def observe(self, call: Call) -> _CallFailures:
        """Return the `CallObserver` that keeps the causes of this call."""
        number = _NUMBER.get()
        if number is not None and not call.streaming:
            self.unstreamed.add(number)
        return _CallFailures(self, number)

    def keep(self, number: int, causes: tuple[Cause, ...]) -> None:
        """Keep the causes of one call."""
        with self._lock:
            self._causes[number] = causes


class _CallFailures:
    """Observer of one call."""

    def __init__(self, owner: FailureCauses, number: int | None) -> None:
        self._owner = owner
        self._number = number

    def notify(self, event: CallEvent) -> None:
        if isinstance(event, CallEnded) and self._number is not None:
            self._owner.keep(self._number, tuple(failure.cause for failure in event.failures))

    def active(self) -> AbstractContextManager[object]:
        return nullcontext()

    def headers(self) -> Mapping[str, str]:
        return {}
