"""One call at run time: the machine, what it commands, and everything that both drivers share.

A driver only sends, reads, sleeps and yields; what to make of it is decided here, in one place, without ``await``.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from math import inf
from time import perf_counter
from typing import Any

from l0.engine._machine import Machine, State
from l0.engine.commands import Command, Finish, Open, Raise, Relay, Wait
from l0.engine.signals import Answered, Begin, Closed, Ended, Failed, Opened, Released, Slow, Used, Waited
from l0.health.shared import Health
from l0.values.calls import Call, Outcome
from l0.values.events import Facts
from l0.values.failures import TIMEOUT_CAUSES, Cause, Failure
from l0.values.handover import Handover
from l0.values.policy import ResumeMode, Timeout
from l0.values.ports import Plan, Reader, Upstream, Watcher

from .clocks import Clocks
from .guards import Guards
from .holding import Holding
from .pump import Pump
from .telling import Telling

_log = logging.getLogger("l0")

END = object()
"""What a driver hands to `Session.took` when the body is over."""


class Session:
    """State of one call between its commands. Used by one thread or task at a time, as the SDK's streams are."""

    __slots__ = (
        "_earlier",
        "_ended",
        "_guards",
        "_hedged",
        "_holding",
        "_kept",
        "_lease",
        "_leased_from",
        "_machine",
        "_number",
        "_pump",
        "_started",
        "_telling",
        "busy",
        "call",
        "clocks",
        "command",
        "timed",
        "upstream",
    )

    def __init__(self, call: Call, upstream: Upstream, watchers: Sequence[Watcher], health: Health) -> None:
        began = perf_counter()
        self.call = call
        self.upstream = upstream
        self.busy = False
        """The driver itself is at the connection: what closes now was not closed by the user."""
        self._telling = Telling(watchers, began)
        self._guards = Guards(call, health)
        self._machine = Machine(call, random.random, upstream.backoff, guard=self._guards)
        timeout = call.policy.timeout
        if timeout is None and call.policy.adaptive:
            timeout = Timeout(initial_token=None, inter_token=None)
        self.clocks = Clocks(timeout, began) if timeout is not None and call.streaming else None
        self._pump: Pump | None = None
        self._kept = Holding(call.policy.holding)
        self._lease: int | None = None
        self._leased_from = 0
        self._started = began
        self._number = 1
        self._hedged = False
        self._ended = False
        self._earlier: Handover | None = None
        self._holding = True
        self.timed = self.clocks is not None or self._telling.heard or self._guards.learns
        """Whether reads have deadlines, or somebody wants to know how long they take."""
        self.command: Command = self._machine.step(Begin(began))

    # -- opening ------------------------------------------------------------------------------------------------

    @contextmanager
    def sending(self, command: Open) -> Iterator[Any]:
        """The options of the attempt that the machine commanded, with every watcher's context active."""
        started = perf_counter()
        if not command.hedge:
            self._number, self._started = command.number, started
        self._telling.attempt_started(command, started)
        with ExitStack() as stack:
            headers = self._telling.enter(stack)
            plan = Plan(
                resend=command.number - 1,
                leg=command.leg,
                left=self._machine.left(started),
                resume=command.resume,
                earlier=self._earlier if command.resume is not None else None,
                hedge=command.hedge,
            )
            yield self.upstream.options(plan, headers)
        if command.resume is not None:
            self._tell_seam()

    def answered(self, answer: Any) -> None:
        """A whole answer is there: accept it, or find what is wrong with it."""
        at = perf_counter()
        flaw = self.upstream.flaw(answer)
        if flaw is not None:
            self._fail(flaw, at)
            return
        self._attempt_ended(None, at)
        self.command = self._machine.step(Answered(at))
        facts, text = self.upstream.whole(answer) if self._telling.heard else (None, "")
        self._finish(self.command, at, facts, text)

    def opened(self, status: int | None, request_id: str | None) -> None:
        """The headers of a stream are there."""
        at = perf_counter()
        self._telling.opened(status, request_id, self._started)
        self._leased_from = 0
        if self.clocks is not None:
            self.clocks.opened(self._started, at, self._guards.deadline)
        self._obey(self._machine.step(Opened(at, self._hedged)))

    def failed(self, error: BaseException, *, opened: bool = False) -> None:
        """An exception came up while sending or reading. Lets through what is no failure of the request."""
        failure = self.upstream.failed(error, opened=opened) if self._machine.state is not State.DONE else None
        if failure is None:
            self.close()
            raise error
        self._fail(failure, perf_counter())

    # -- hedging ------------------------------------------------------------------------------------------------

    @property
    def hedge_after(self) -> float | None:
        """Seconds after which the attempt that the machine commanded is slow; ``None`` where nobody would mind."""
        return None if self._machine.hedged else self._guards.hedge_after()

    @property
    def first_limit(self) -> float:
        """Seconds that the first content may take; ``inf`` for ever."""
        timeout = self.call.policy.timeout
        first = timeout.initial_token if timeout is not None else None
        usual = self._guards.deadline(None if first is None else first / 1000)
        return min(inf if usual is None else usual, self._machine.left(perf_counter()))

    def slow(self, standing: Open) -> Open | None:
        """The attempt is slower than usual: the hedge to send, if there is to be one."""
        command = self._machine.step(Slow(perf_counter()))
        assert isinstance(command, Open)
        return command if command.number != standing.number else None

    def won(self, number: int, started: float, content_at: float | None) -> None:
        """Of the attempts that raced, this one serves the answer."""
        self._hedged = number != self._number
        self._number, self._started = number, started
        if content_at is not None:
            self._guards.first_content(content_at - started)

    def lost(self, number: int, started: float, error: BaseException | None, *, opened: bool) -> None:
        """Of the attempts that raced, this one does not."""
        failure = self.upstream.failed(error, opened=opened) if error is not None else None
        at = perf_counter()
        if failure is None:
            self._guards.overtaken(at - started)
        self._telling.lost(number, failure, at)

    def overdue(self) -> None:
        """No attempt of those that raced brought content in time."""
        at = perf_counter()
        self._guards.first_content(at - self._started)
        cause = Cause.TOTAL_TIMEOUT if self._machine.left(at) <= 0 else Cause.FIRST_CONTENT_TIMEOUT
        self._fail(Failure(cause=cause, message=f"no {_AWAITED[cause.value]} in time"), at)

    def slept(self) -> None:
        """The backoff is over."""
        self.command = self._machine.step(Waited(perf_counter()))

    def _tell_seam(self) -> None:
        callback = self.call.policy.on_seam
        if callback is None:
            return
        try:
            callback(self._machine.seams[-1])
        except Exception:
            _log.warning("Policy.on_seam failed and is ignored", exc_info=True)

    # -- reading ------------------------------------------------------------------------------------------------

    def reads(self, pump: Pump) -> None:
        """Reading of an attempt's body begins, through ``pump``."""
        self._pump = pump

    @property
    def continuation(self) -> tuple[ResumeMode, Handover] | None:
        """What the attempt that was just opened takes up, and how."""
        if self._earlier is None or not self._machine.seams:
            return None
        return self._machine.seams[-1].strategy, self._earlier

    @property
    def retries(self) -> int:
        """How many requests were repeats."""
        return max(self._machine.attempts - 1 - self._machine.hedged, 0)

    @property
    def failures(self) -> Sequence[Failure]:
        """Of the attempts so far, in order."""
        return self._machine.failures

    @property
    def open(self) -> bool:
        """Whether the call is still under way."""
        return not self._ended

    def took(self, raw: Any, since: float = 0.0) -> list[Any]:
        """What one read brought (`END`: the body is over). Returns what the user gets now; sets `command`.

        ``since``: when the read began, where reads are timed.
        """
        self.busy = False
        pump = self._pump
        assert pump is not None
        if self._ended:
            return self._afterwards(raw, pump)
        reader, meter = pump.reader, self._telling.meter
        at = 0.0
        if raw is END:
            items: list[Any] = []
        elif self.timed:
            content = reader.content
            items = pump.feed(raw)
            at = perf_counter()
            if self.clocks is not None:
                self.clocks.read(at, reader.content > content)
            if not content and reader.content:
                self._guards.first_content(at - self._started)
            if meter is not None:
                meter.read(at, at - since, reader.content > content, raw)
        else:
            items = pump.feed(raw)
        if reader.stopped or raw is END:
            self._kept.keep(items)
            return self._over(reader, at or perf_counter())
        if self._holding:
            return self._hold(items, reader, at)
        if self._kept.lags:
            items = self._kept.after(items, reader)
        if meter is not None and items:
            meter.chunks += len(items)
            meter.last = at
        if self._lease is not None and reader.chars - self._leased_from >= self._lease:
            self._obey(self._machine.step(Used(reader.chars - self._leased_from, at or perf_counter())))
            self._leased_from = reader.chars
        return items

    def _afterwards(self, raw: Any, pump: Pump) -> list[Any]:
        """The user closed the response, and reads on: what is still there is theirs, and nobody's concern."""
        if raw is not END:
            return pump.feed(raw)
        self.command = Finish(Outcome.CANCELLED)
        return []

    def broke(self, error: BaseException) -> list[Any]:
        """A read raised. An answer that was already whole stays whole."""
        self.busy = False
        at = perf_counter()
        if self.open and isinstance(error, Exception):
            if self._pump is not None and self._pump.reader.verdict() is None:
                return self._over(self._pump.reader, at)
            if self.clocks is not None and self.clocks.passed(at):
                return self.expired()  # the transport's own time-out was as tight, and quicker
        failure = self.upstream.failed(error, opened=True) if self.open else None
        if failure is None:
            self.close()
            raise error
        return self._fail(failure, at)

    def expired(self) -> list[Any]:
        """A clock ran out while a read was blocked."""
        assert self.clocks is not None
        self.busy = False
        at = perf_counter()
        if self._pump is not None and self._pump.reader.verdict() is None:
            return self._over(self._pump.reader, at)
        cause = self.clocks.expired(at)
        if cause is Cause.FIRST_CONTENT_TIMEOUT:
            self._guards.first_content(at - self._started)
        return self._fail(Failure(cause=cause, message=f"no {_AWAITED[cause.value]} in time"), at)

    def released(self) -> None:
        """The driver is done: drop what would keep the response alive."""
        self.close()
        self._pump = None

    def _hold(self, items: list[Any], reader: Reader, at: float) -> list[Any]:
        """Before the commit point: frames are kept back, so that a restart stays invisible."""
        due = self._kept.before(items, reader)
        if due:
            at = at or perf_counter()
            self._obey(self._machine.step(Released(at)))
            self._telling.handed(due, at, self._kept.seconds(at))
        return due

    def _over(self, reader: Reader, at: float) -> list[Any]:
        """Reading is over, for better or worse."""
        reader.settle()
        return self._fail(reader.failure, at) if reader.failure is not None else self._end(reader, at)

    def _end(self, reader: Reader, at: float) -> list[Any]:
        missing = reader.verdict()
        chars = reader.chars - self._leased_from
        resumable = missing is not None and self._resumable(reader)
        command = self._machine.step(Ended(missing, at, chars, reader.accepted, resumable, self._had))
        if isinstance(command, Finish):
            if missing is None:
                self.upstream.completed()
            if missing is not None and missing.value in command.odd:
                _log.warning(
                    "a %s stream from %s ended without its terminal event; accepted, as this origin has never sent one",
                    self.call.dialect,
                    self.call.origin,
                )
            self._attempt_ended(None, at)
        return self._settle(command, at)

    def _fail(self, failure: Failure, at: float) -> list[Any]:
        reader = self._pump.reader if self._pump is not None else None
        chars = reader.chars - self._leased_from if reader is not None else 0
        accepted = reader is not None and reader.accepted
        resumable = reader is not None and self._resumable(reader)
        return self._settle(self._machine.step(Failed(failure, at, chars, accepted, resumable, self._had)), at)

    @property
    def _had(self) -> int:
        """Characters that the user has, where an answer is taken up."""
        return len(self._earlier.text) if self._earlier is not None else 0

    def _resumable(self, reader: Reader) -> bool:
        """Whether the answer could be taken up where it broke; remembers what the user has of it."""
        strategy = self.call.policy.resume
        if strategy == "off" or not reader.resumable or self._pump is None or not self._pump.resumes:
            return False
        self._earlier = reader.handover()
        return self.upstream.resumes(strategy, self._earlier)

    def _settle(self, command: Command, at: float) -> list[Any]:
        """After an attempt: drop what was held where it is repeated, hand it over where it was the last."""
        if isinstance(command, Wait | Raise):
            self._attempt_ended(self._machine.failures[-1], at)
        self.command = command
        if isinstance(command, Wait):
            self._telling.spent(self._facts())
            # What a resumed answer has brought so far is the user's; of a repeated one nothing was ever seen.
            items = self._kept.flush() if self._machine.resuming else []
            self._kept.restart()
            self._pump = None
            return items
        items = self._kept.flush()
        self._telling.handed(items, at, self._kept.seconds(at))
        self._finish(command, at, self._facts())
        return items

    def _obey(self, command: Command) -> None:
        self.command = command
        self._holding = isinstance(command, Relay) and command.holding
        if isinstance(command, Relay):
            self._lease = command.lease

    # -- the end ------------------------------------------------------------------------------------------------

    @property
    def text(self) -> str:
        """What the model has said so far."""
        if self._pump is not None:
            return self._pump.reader.handover().text
        return self._earlier.text if self._earlier is not None else ""

    def error(self, command: Raise) -> BaseException:
        """What to raise, with the history of the attempts in its notes."""
        failure, failures = command.failure, self._machine.failures
        error = self.upstream.exception(failure, text=self.text, attempts=self._machine.attempts)
        if len(failures) > 1:
            for number, past in enumerate(failures, start=1):
                error.add_note(f"l0: attempt {number} failed: {past}")
        return error

    def close(self) -> None:
        """The user stopped, or something that is no failure came through. Final; safe to call at any time."""
        if self._ended:
            return
        at = perf_counter()
        waiting = self._machine.state is State.WAITING
        command = self._machine.step(Closed(at))
        if not waiting:
            self._attempt_ended(None, at, abandoned=True)
        self._finish(command, at, self._facts())

    def consumed(self) -> None:
        """The body was read to its end, but not through us (a raw response)."""
        if self.open and self._machine.state in (State.HOLDING, State.RELAYING):
            at = perf_counter()
            self._attempt_ended(None, at)
            self._finish(self._machine.step(Ended(None, at)), at, None)

    def _attempt_ended(self, failure: Failure | None, at: float, *, abandoned: bool = False) -> None:
        self._guards.ended(failure, abandoned=abandoned)
        self._telling.attempt_ended(self._number, failure, at)

    def _finish(self, command: Command, at: float, facts: Facts | None, text: str = "") -> None:
        if self._ended:
            return
        self._ended = True
        if self._telling.heard:
            self._telling.ended(command, self._machine, at, facts, text or self.text)

    def _facts(self) -> Facts | None:
        return self._pump.reader.facts() if self._pump is not None and self._telling.heard else None


_AWAITED = {cause.value: "answer" for cause in TIMEOUT_CAUSES} | {
    "first_content_timeout": "first content",
    "stalled": "further content",
    "dead": "sign of life",
    "total_timeout": "whole answer",
}
