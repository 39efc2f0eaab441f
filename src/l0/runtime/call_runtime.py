"""One call at run time, as both drivers see it.

A driver only sends, reads, sleeps and yields; what to make of it is decided here and in `serving`, in one place,
without ``await``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf
from time import perf_counter
from typing import Any

from l0.engine.commands import Finish, Raise
from l0.engine.machine import PHASES, CallState
from l0.engine.signals import Ended, Released
from l0.model.call import Outcome
from l0.model.failure import Cause, Failure
from l0.model.ports import Reader
from l0.model.tolerant_reading import unread

from .body_parser import BodyParser
from .call_base import CallRuntimeBase
from .finalizers import stop
from .watchdog import Expired

_UNTIMED = 64
"""Pieces of text that a driver may deliver without a look at the clock of the whole call."""
END = object()
"""What a driver hands to `CallRuntime.on_read` when the body is over."""


class CallRuntime(CallRuntimeBase):
    """A call whose answer is read."""

    __slots__ = ()

    def failed(self, error: BaseException, *, opened: bool = False) -> None:
        """Judge an exception that came up while sending or reading. Raise it if it is not a failure of the request."""
        failure = self._sending_failed(error, opened=opened) if self.open else None
        if failure is None and isinstance(error, Expired):
            error = error.__cause__ or error
        if not self.open or (self.upstream.gone and (failure is None or failure.status is None)):
            self.halt(error)
        if failure is None:
            self.leave(error)
            raise error
        self._fail(failure, perf_counter())

    def _sending_failed(self, error: BaseException, *, opened: bool) -> Failure | None:
        expired = isinstance(error, Expired)
        failure = None if expired else self.upstream.failed(error, opened=opened)
        at = perf_counter()
        # A time-out of the transport can be ours: it is given what our clocks have left.
        late = expired or (failure is not None and failure.cause is Cause.NO_HEADERS)
        if not late or self.clocks is None or not self.clocks.passed(at):
            return failure
        self.admission.first_content(at - self.started)
        return self.clocks.failure(at)

    def send_by(self, *, first: bool = True, cause: Cause = Cause.NO_HEADERS) -> float:
        """When the request that is sent now is given up, in seconds of the monotonic clock; ``inf`` for never.

        ``first``, ``cause``: as in `Clocks.sending`.
        """
        if self.clocks is None:
            return inf
        first = first and self.call.streaming
        return self.clocks.sending(perf_counter(), self.admission.deadline, first=first, cause=cause)

    def leave(self, error: BaseException) -> None:
        """End the call with an exception that reaches the user as it is.

        It was raised outside the wire, so no attempt can do better. An interruption (``KeyboardInterrupt``, the
        cancellation of a task) is the user's way to stop, and not a failure.
        """
        if self._ended or not isinstance(error, Exception) or self.machine.state not in PHASES:
            self.close()
            return
        message = f"{type(error).__name__} was raised outside the wire"
        self._fail(Failure(cause=Cause.LOCAL, message=message, error=error), perf_counter())

    @property
    def retries(self) -> int:
        """How many requests were repeats."""
        return max(self.machine.attempts - 1 - self.machine.hedged, 0)

    @property
    def failures(self) -> Sequence[Failure]:
        """Of the attempts so far, in order."""
        return self.machine.failures

    def consumed(self) -> None:
        """The body was read to its end, but not through us (a raw response)."""
        if self.open and self.machine.state in (CallState.HOLDING, CallState.RELAYING):
            at = perf_counter()
            metadata, text, calls = self.upstream.complete_answer(None) if self.observers.observed else (None, "", ())
            self.attempt_ended(None, at)
            self._finish(self.step(Ended(None, at)), at, metadata, text, calls)

    def overdue_for_user(self, error: BaseException) -> BaseException:
        """End a call whose user reads the body, as `Timeout.total` has passed. Return the exception to raise."""
        at = perf_counter()
        if self.open and self.clocks is not None:
            self._fail(self.clocks.failure(at, Cause.TOTAL_TIMEOUT), at)
        return self.error(self.command) if isinstance(self.command, Raise) else error

    def on_read(self, raw: Any, since: float = 0.0) -> list[Any]:  # noqa: C901 - calls cost, per read
        """What one read brought (`END`: the body is over). Returns what the user gets now; sets `command`.

        ``since``: when the read began, where reads are timed.
        """
        self.busy = False
        parser = self._parser
        assert parser is not None
        if self._ended:
            return self._afterwards(raw, parser)
        reader, stats = parser.reader, self.observers.stats
        at, late = 0.0, False
        if raw is END:
            items: list[Any] = []
        elif self.timed:
            content = reader.content
            items = parser.feed(raw)
            at = perf_counter()
            came = reader.content > content
            if self.clocks is not None:
                late = self.clocks.read(at, came, since)
            try:
                if not content and came:
                    self.admission.first_content(at - self.started)
                if self.shadow is not None:
                    self.shadow.read(since, at, reader, content=came, started=self.started)
                if stats is not None:
                    stats.read(at, at - since, came, raw)
            except Exception:
                unread("the time of a read")
        else:
            items = parser.feed(raw)
        rule_runner = self.rule_runner
        if rule_runner is not None and len(reader.text) >= rule_runner.due:
            failure = rule_runner.evaluate(reader)
            if failure is not None:
                return self._reject(failure, at or perf_counter())
        if reader.stopped or raw is END:
            self._kept.keep(items)
            return self._over(reader, at or perf_counter())
        if late:
            self._kept.keep(items)
            return self.expired()
        if self._holding:
            return self._hold(items, reader, at)
        if self._kept.lags:
            items = self._kept.after(items, reader, *self._seen(reader))
        if stats is not None and items:
            stats.chunks += len(items)
            stats.last = at
        return items

    @property
    def free(self) -> float:
        """Return the pieces of text that a driver may deliver on its own before it calls `evaluate_rules`.

        0 before the commit point, while something is kept back, and if reads are measured: then `on_read` is needed.
        """
        if self._holding or self._ended or self._kept.lags or self.observers.observed:
            return 0
        return self.due

    @property
    def due(self) -> float:
        """After how many pieces of text the rules look next."""
        rule_runner, parser = self.rule_runner, self._parser
        due = inf if rule_runner is None or parser is None else rule_runner.due - len(parser.reader.text)
        return due if self.clocks is None or self.clocks.unlimited else min(due, _UNTIMED)

    def evaluate_rules(self, item: Any) -> list[Any] | None:
        """The rules, and the clock of the whole call, look at what came, of which ``item`` is the last. What the user
        gets now where that ends the attempt; ``None``: all is well."""
        rule_runner, parser = self.rule_runner, self._parser
        if self.clocks is not None and not self.clocks.unlimited and self.clocks.passed_total(perf_counter()):
            self._kept.keep([item])
            return self.expired()
        failure = rule_runner.evaluate(parser.reader) if rule_runner is not None and parser is not None else None
        return None if failure is None else self._reject(failure, perf_counter())

    def _afterwards(self, raw: Any, parser: BodyParser) -> list[Any]:
        """The user closed the response, and reads on: what is still there is theirs, and nobody's concern."""
        if raw is not END:
            return parser.feed(raw)
        self.command = Finish(Outcome.CANCELLED)
        return []

    def on_read_stopped(self, error: BaseException, since: float) -> list[Any]:
        """A read raised instead of bringing something: at the end of the body, at a deadline, or for worse."""
        if isinstance(error, StopIteration | StopAsyncIteration):
            return self.on_read(END, since)
        return self.expired() if isinstance(error, Expired) else self.on_read_error(error)

    def on_read_error(self, error: BaseException) -> list[Any]:
        """A read raised. An answer that was already whole stays whole."""
        ours = not self.busy  # the read itself went well: what was made of it failed
        self.busy = False
        if not self.open:
            self.halt(error)
        at = perf_counter()
        if isinstance(error, Exception):
            if self._parser is not None and self._parser.reader.missing() is None:
                return self._over(self._parser.reader, at)
            if self.clocks is not None and self.clocks.passed(at):
                return self.expired()  # the transport's own time-out was as tight, and quicker
        failure = self.upstream.failed(error, opened=True)
        if failure is None and ours and isinstance(error, Exception):
            failure = Failure(cause=Cause.INTERNAL, detail=repr(error), error=error)
        if not ours and self.upstream.gone:
            self.halt(error)
        if failure is None:
            self.leave(error)
            raise error
        return self._fail(failure, at)

    def expired(self) -> list[Any]:
        """A clock ran out while a read was blocked."""
        assert self.clocks is not None
        self.busy = False
        if not self.open:
            self.halt()
        at = perf_counter()
        if self._parser is not None and self._parser.reader.missing() is None:
            return self._over(self._parser.reader, at)
        failure = self.clocks.failure(at)
        if failure.cause is Cause.FIRST_CONTENT_TIMEOUT:
            self.admission.first_content(at - self.started)
        return self._fail(failure, at)

    def abandon(self, release: Callable[[], object] | None = None) -> None:
        """As `close`, where a finalizer runs. ``release``: gives the connection back."""
        stop(self, later=True, release=release)

    def _hold(self, items: list[Any], reader: Reader, at: float) -> list[Any]:
        """Before the commit point: frames are kept back, so that a restart stays invisible."""
        due = self._kept.before(items, reader, *self._seen(reader))
        if due:
            at = at or perf_counter()
            self._obey(self.step(Released(at)))
            self.observers.delivered(due, at, self._kept.seconds(at))
        return due

    def _seen(self, reader: Reader) -> tuple[int, int]:
        """Characters that came, and how many of them every rule has looked at."""
        rule_runner = self.rule_runner
        return (reader.chars, reader.chars) if rule_runner is None else (rule_runner.chars, rule_runner.checked)
