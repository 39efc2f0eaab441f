"""Who hears of a call of the explicit API: the application's observers, once, though an SDK below is watched as well.

A source is a function: what it calls is not known before it does. Where that is an SDK that l0 has patched, its request
describes itself, with provider, model and parameters; the one span of the call is made from that, and what the engine
in the SDK reads of the answer (tokens, finish reasons) is told on it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import replace

from l0.config import CONFIG
from l0.model.call import Call, Outcome
from l0.model.call_events import CallEnded, Event, ResponseMetadata
from l0.model.errors import raised
from l0.model.failure import Failure
from l0.model.ports import CallObserver

_log = logging.getLogger("l0")


class SourceCallObserver:
    """A `CallObserver` of the call, and the `Observer` of the requests that its attempts make."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._early: list[Event] = []
        self._call_observers: list[CallObserver] | None = None if CONFIG.listening else []
        self.metadata: ResponseMetadata | None = None
        """Of the attempt under way, once the engine below has found its answer whole."""
        self.failure: Failure | None = None
        """Why the engine below gave the attempt up, with what only the provider's package knows."""

    @property
    def observed(self) -> bool:
        """Whether anybody may listen."""
        return self._call_observers is None or bool(self._call_observers)

    # -- of the call --------------------------------------------------------------------------------------------------

    def notify(self, event: Event) -> None:
        """Passed on, from when the call is described."""
        if self._call_observers is None:
            self._early.append(event)
            if isinstance(event, CallEnded):
                self.described(self._call)
            return
        for watcher in self._call_observers:
            try:
                watcher.notify(event)
            except Exception:
                _log.warning("an observer failed at %s and is ignored: %s", type(event).__name__, raised())

    def active(self) -> AbstractContextManager[object]:
        """The call as the current context, as far as it is known."""
        return self._entered() if self._call_observers else nullcontext()

    @contextmanager
    def _entered(self) -> Iterator[None]:
        with ExitStack() as stack:
            for watcher in self._call_observers or ():
                stack.enter_context(watcher.active())
            yield

    def headers(self) -> Mapping[str, str]:
        """As `CallObserver.headers`."""
        return {name: value for watcher in self._call_observers or () for name, value in watcher.headers().items()}

    def described(self, call: Call) -> None:
        """Now it is known what the call is. Only the first description counts."""
        if self._call_observers is not None:
            return
        self._call_observers = CONFIG.all_observers_of(replace(call, policy=self._call.policy, streaming=True))
        early, self._early = self._early, []
        for event in early:
            self.notify(event)

    def begin(self) -> None:
        """An attempt begins: nothing is known of it yet."""
        self.metadata, self.failure = None, None

    # -- of the requests of its attempts ------------------------------------------------------------------------------

    def observe(self, call: Call) -> CallObserver:
        """A request of the attempt under way."""
        self.described(call)
        return _RequestWatch(self)


class _RequestWatch:
    """Learns what the engine in an SDK finds out. It has no spans of its own."""

    def __init__(self, outer: SourceCallObserver) -> None:
        self._outer = outer

    def notify(self, event: Event) -> None:
        if isinstance(event, CallEnded):
            self._outer.failure = event.failure
            whole = event.failure is None and event.outcome is not Outcome.CANCELLED
            self._outer.metadata = event.metadata if whole else None

    def active(self) -> AbstractContextManager[object]:
        return self._outer.active()

    def headers(self) -> Mapping[str, str]:
        return self._outer.headers()
