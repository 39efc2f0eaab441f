"""Run two attempts side by side if the first is slow: the first to bring content serves the call.

Each attempt has its own deadlines. One that is late or fails ends alone, and the other runs on; only the end of the
whole call's time ends both.

The race is over before the user gets anything: it ends inside the request, and never crosses a ``yield``. The response
keeps for the user what the winner has read by then. The loser is closed at once; a sync loser that waits for its
headers cannot be closed, so it closes itself when they arrive.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from contextvars import copy_context
from functools import cache, partial
from math import inf
from queue import SimpleQueue
from time import perf_counter
from typing import Any, Protocol, runtime_checkable

from l0.engine.commands import Command
from l0.engine.signals import Slow
from l0.model.attempt import AttemptSpec
from l0.model.errors import raised
from l0.model.failure import Failure
from l0.shared_state.auto_reset_event import AutoResetEvent

from .async_deadlines import TURNS, until_closed
from .call_runtime import CallRuntime
from .deadlines import CallDeadlines
from .recorded_silence import RecordedSilence
from .waiting_calls import WAITING
from .watchdog import Expired

_log = logging.getLogger("l0")
_SHORTEST_GRACE, _LONGEST_GRACE = 0.02, 0.5
"""Seconds after the limit, at least and at most, in which a contender may still read data that has arrived."""
_CLOSE_LIMIT_S = 1.0
"""Seconds that the connection of a loser may take to close."""


class Sender(Protocol):
    """The sender of the attempts of one call. ``answer``: the answer that serves the call."""

    answer: Any

    def send(self, options: Any) -> Any:
        """Send one attempt. Return its answer as soon as the headers arrive."""
        ...

    def attach(self, answer: Any) -> Command:
        """Serve the call from this answer. Return the next command."""
        ...


@runtime_checkable
class HedgeSender(Sender, Protocol):
    """A sender whose attempts can be hedged."""

    def send(self, options: Any, deadlines: CallDeadlines | None = None) -> Any:
        """As `Sender.send`. ``deadlines``: those of an attempt in a race."""
        ...

    def read_until_content(self, answer: Any, number: int, deadlines: CallDeadlines | None) -> Failure | None:
        """Read up to the first content, and keep it for the user. Return the failure of a body that ended or failed
        before it. ``number``, ``deadlines``: of the attempt."""
        ...

    def head(self, answer: Any) -> tuple[int | None, str | None]:
        """Return the HTTP status and the provider's request id of an answer."""
        ...

    def discard(self, answer: Any) -> None:
        """Close the connection of an unused answer."""

    def abort(self, answer: Any) -> None:
        """End a `read_until_content` that runs in another thread, at once if possible."""

    def stopped(self, answer: Any) -> None:
        """Record that the user stopped the call. ``answer``: that of the first attempt; ``None`` before its headers."""


class AsyncSender(Protocol):
    """The async twin of `Sender`."""

    answer: Any

    async def send(self, options: Any) -> Any: ...

    def attach(self, answer: Any) -> Command: ...


@runtime_checkable
class AsyncHedgeSender(AsyncSender, Protocol):
    """The async twin of `HedgeSender`."""

    async def send(self, options: Any, deadlines: CallDeadlines | None = None) -> Any: ...

    async def read_until_content(self, answer: Any, number: int, deadlines: CallDeadlines | None) -> Failure | None: ...

    def head(self, answer: Any) -> tuple[int | None, str | None]: ...

    async def discard(self, answer: Any) -> None: ...

    def stopped(self, answer: Any) -> None: ...


class Contender:
    """One attempt in a race.

    ``deadlines``: its own; ``None`` without time limits. ``content_at``: the time at which it brought content.
    ``failure``: of a body that brought none. ``error``: the exception that ended it. ``ended_at``: the time of either.
    ``opened``: its headers have arrived. ``over``: its thread or task has ended, with or without content. ``expired``:
    it was ended at its deadline. ``abandoned``: it has lost or expired, or the user stopped. ``discarded``: its
    connection is being closed, or is closed.
    """

    __slots__ = (
        "abandoned",
        "answer",
        "command",
        "content_at",
        "deadlines",
        "discarded",
        "ended_at",
        "error",
        "expired",
        "failure",
        "opened",
        "over",
        "started",
    )

    def __init__(self, command: AttemptSpec, runtime: CallRuntime, skipped_s: float = 0.0) -> None:
        self.command = command
        self.started = perf_counter()
        self.deadlines = runtime.parallel_deadlines(self.started, skipped_s)
        self.answer: Any = None
        self.error: BaseException | None = None
        self.failure: Failure | None = None
        self.content_at: float | None = None
        self.ended_at: float | None = None
        self.opened = self.over = self.expired = self.abandoned = self.discarded = False

    @property
    def ended(self) -> bool:
        """True if nothing more comes of it."""
        return self.over or self.expired

    @property
    def deadline(self) -> float:
        """Its current deadline; ``inf`` if it has none."""
        return inf if self.deadlines is None else self.deadlines.due

    @property
    def due(self) -> float:
        """As `deadline`; ``inf`` once it has ended."""
        return inf if self.ended else self.deadline

    def open(self, runtime: CallRuntime) -> None:
        """Record that its headers have arrived."""
        self.opened = True
        if self.deadlines is not None:
            self.deadlines.opened(self.started, perf_counter(), runtime.admission.deadline)

    def end(self, failure: Failure | None = None, error: BaseException | None = None) -> None:
        """Record that it brought content, or the reason why it brought none."""
        if self.abandoned:  # l0 itself causes what happens to an abandoned contender
            if isinstance(error, RecordedSilence):
                error.accepted = True
            return
        self.ended_at = perf_counter()
        self.failure, self.error = failure, error
        if failure is None and error is None:
            self.content_at = self.ended_at

    def expire(self) -> bool:
        """End it at its deadline. Return False if it has ended by itself meanwhile."""
        if self.ended or self.ended_at is not None:
            return False
        self.error, self.ended_at = Expired(), perf_counter()
        self.expired = self.abandoned = True
        return True


class HedgeRace:
    """The contenders of a race, and the winner. ``hedge_at``: the time to send the hedge; ``inf`` afterwards.

    A first attempt that plays a recorded silence is slow without a wait: the time to send the hedge then comes at once.
    ``_skipped_s``: the seconds until then, which count as passed.
    """

    __slots__ = ("_final_winner", "_skipped_s", "contenders", "hedge_at", "runtime")

    def __init__(self, runtime: CallRuntime, command: AttemptSpec, after: float) -> None:
        self.runtime = runtime
        first = Contender(command, runtime)
        self.contenders = [first]
        self.hedge_at = first.started + after
        self._skipped_s = 0.0
        self._final_winner: Contender | None = None

    @property
    def wait_s(self) -> float:
        """The seconds until the hedge is due, or a contender is late; ``inf`` if neither can happen."""
        if self._skips_wait:
            return 0.0
        due = min(self.hedge_at, *[contender.due for contender in self.contenders], inf)
        return due if due == inf else due - perf_counter()

    def hedge_is_due(self) -> bool:
        """Return True, once, if it is time to send the hedge: before the deadline of the first attempt."""
        hedge_at, early_s = self.hedge_at, self.hedge_at - perf_counter()
        if early_s > 0 and not self._skips_wait:
            return False
        self.hedge_at, self._skipped_s = inf, max(early_s, 0.0)
        return hedge_at < self.contenders[0].deadline

    @property
    def _skips_wait(self) -> bool:
        """True if the first attempt plays a silence, and the hedge is to be sent before its deadline."""
        first = self.contenders[0]
        return isinstance(first.error, RecordedSilence) and self.hedge_at < first.deadline

    def late(self) -> list[Contender]:
        """Return the contenders whose deadline has passed."""
        at = perf_counter()
        return [contender for contender in self.contenders if contender.due <= at]

    def add_hedge(self) -> Contender | None:
        """Add a hedge to the slow first attempt, and return it; ``None`` if the machine allows none."""
        first = self.contenders[0].command
        command = self.runtime.machine.step(Slow(perf_counter()))
        assert isinstance(command, AttemptSpec)
        if command.number == first.number:
            return None
        self.contenders.append(Contender(command, self.runtime, self._skipped_s))
        return self.contenders[-1]

    @property
    def winner(self) -> Contender | None:
        """The first contender that brought content. If all have ended without, the first that has an answer at all."""
        timed = [contender for contender in self.contenders if contender.content_at is not None]
        if timed:
            return min(timed, key=lambda contender: contender.content_at or inf)
        answered = [contender for contender in self.contenders if contender.error is None]
        return answered[0] if self._ended and answered else None

    @property
    def over(self) -> bool:
        """True if there is nothing left to wait for, with or without a winner."""
        return (
            self._ended
            or any(contender.content_at is not None for contender in self.contenders)
            or self.runtime.ending.stopped
        )

    @property
    def _ended(self) -> bool:
        return all(contender.ended for contender in self.contenders) and not self._skips_wait

    def halt_if_stopped(self, sender: HedgeSender | AsyncHedgeSender) -> None:
        """If the user has stopped the call or closed its client, raise what the bare SDK raises for the first
        attempt."""
        if self.runtime.ending.stopped:
            first = self.contenders[0]
            sender.stopped(first.answer)
            self.runtime.halt(first.error)

    def abandon(self) -> None:
        """End the race without a winner, because the user stopped."""
        for contender in self.contenders:
            contender.abandoned = True

    def finish(self) -> None:
        """End the race. Errors of the losers from now on are caused by L0 itself."""
        self._final_winner = self.winner
        for contender in self.contenders:
            contender.abandoned = contender is not self._final_winner

    def result(self, sender: HedgeSender | AsyncHedgeSender) -> Command | None:
        """Return the command after a race without a winner; ``None`` if an answer has won. Call it after `finish`."""
        runtime, winner, first = self.runtime, self._final_winner, self.contenders[0]
        served = winner if winner is not None else first
        runtime.use_deadlines(served.deadlines)
        for contender in self.contenders:
            if contender is not served:
                self._lost(contender, sender.head(contender.answer) if contender.opened else (None, None))
        if winner is not None:
            self._won(winner)
            return None
        assert first.error is not None  # else its answer would have won
        if first.opened:
            runtime.failed_head(*sender.head(first.answer))
        return runtime.failed(first.error, opened=first.opened, ended_at=first.ended_at)

    @property
    def answer(self) -> Any:
        """The answer that has won."""
        return self._final_winner.answer if self._final_winner is not None else None

    def _won(self, contender: Contender) -> None:
        runtime = self.runtime
        runtime.hedge_won = contender.command.hedge
        runtime.number, runtime.started = contender.command.number, contender.started
        if contender.content_at is not None:
            runtime.admission.first_content(contender.content_at - contender.started)

    def _lost(self, contender: Contender, head: tuple[int | None, str | None]) -> None:
        runtime, error, failure = self.runtime, contender.error, contender.failure
        at = perf_counter() if contender.ended_at is None else contender.ended_at
        if error is not None:
            failure = runtime.failure_of(error, contender.deadlines, opened=contender.opened, at=at)
        if failure is None and isinstance(error, RecordedSilence):  # the other ended the wait, if that has won
            error.accepted, error = self._final_winner is not None, None
        if failure is None or failure.policy_field:  # slower than the other, or than a time limit
            runtime.admission.overtaken(at - contender.started)
        if runtime.recording is not None:
            runtime.recording.failed(contender.command.number, error)
            runtime.recording.attempt_ended(contender.command.number, failure, at, lost=True)
        runtime.observers.lost(contender.command.number, failure, at, head)


def race(runtime: CallRuntime, command: AttemptSpec, sender: HedgeSender, after: float) -> Command:
    """Serve one attempt, with a second beside it if the first has brought no content after ``after`` seconds."""
    threads = _Threads(runtime, sender)
    send_first = threads.ready(command.number)
    if send_first is None:
        with ExitStack() as context:
            answer = sender.send(runtime.sending(command, context))
        return sender.attach(answer)
    hedge_race = HedgeRace(runtime, command, after)
    try:
        send_first(hedge_race.contenders[0])
        with WAITING.wake_by(runtime.ending, threads.wake):
            while not hedge_race.over:
                if threads.wait_for_report(hedge_race.wait_s):
                    continue
                if hedge_race.hedge_is_due():
                    _start_hedge(hedge_race, threads)
                threads.expire(hedge_race.late())
        hedge_race.halt_if_stopped(sender)
        with threads.lock:
            hedge_race.finish()
            following = hedge_race.result(sender)
    except BaseException:
        with threads.lock:
            hedge_race.abandon()
        raise
    finally:
        for contender in hedge_race.contenders:
            threads.clear_away(contender)
    return sender.attach(hedge_race.answer) if following is None else following


def _start_hedge(hedge_race: HedgeRace, threads: _Threads) -> None:
    send = threads.ready(hedge_race.contenders[0].command.number + 1)
    if send is None:
        return
    hedge = None
    try:  # the thread runs already, because a hedge that the machine has counted must be sent
        hedge = hedge_race.add_hedge()
    finally:
        send(hedge)


class _Threads:
    """Contenders on separate threads. The lock is held while the code decides who reads and who closes."""

    def __init__(self, runtime: CallRuntime, sender: HedgeSender) -> None:
        self.lock = threading.Lock()
        self._runtime = runtime
        self._sender = sender
        self._report = AutoResetEvent()
        self.wake = self._report.set
        """End a wait of `wait_for_report`."""

    def ready(self, number: int) -> Callable[[Contender | None], None] | None:
        """Return a function that starts a contender, or cancels it, on a thread that already runs; ``None`` if no
        thread can be started."""
        gate: SimpleQueue[Contender | None] = SimpleQueue()
        work = partial(copy_context().run, self._enter, gate)
        try:
            threading.Thread(target=work, name=f"l0-attempt-{number}", daemon=True).start()
        except RuntimeError as error:  # the thread limit, or interpreter shutdown
            _warn_unhedged(str(error))
            return None
        return gate.put

    def _enter(self, gate: SimpleQueue[Contender | None]) -> None:
        if self._run(gate.get()):
            # Not in `_run`: only now this thread has no reference to the answer, which the user may drop at once.
            self._report.set()

    def wait_for_report(self, seconds: float) -> bool:
        """Wait. Return True if a contender reports, or `wake` is called, within ``seconds``."""
        return self._report.wait(None if seconds == inf else seconds)

    def expire(self, late: list[Contender]) -> None:
        """End late contenders, unless one of the race reports: this thread and theirs may have been held up, while data
        arrived."""
        if not late:
            return
        grace = perf_counter() - min(contender.due for contender in late)
        if self.wait_for_report(min(max(grace, _SHORTEST_GRACE), _LONGEST_GRACE)):
            return
        at = perf_counter()
        for contender in late:
            with self.lock:
                expired = contender.due <= at and contender.expire()
            if expired:
                self.clear_away(contender)

    def clear_away(self, contender: Contender) -> None:
        """End the reading of an abandoned contender. Before its headers it cannot be reached; it then closes itself."""
        with self.lock:
            must_close = contender.abandoned and contender.opened and not contender.discarded
            reading = must_close and not contender.over
            contender.discarded = contender.discarded or (must_close and contender.over)
        if reading:
            _quietly(self._sender.abort, contender.answer)
        elif must_close:
            _quietly(self._sender.discard, contender.answer)

    def _run(self, contender: Contender | None) -> bool:
        """Run a contender up to its content or its end. Return False if it was cancelled before it started."""
        if contender is None:
            return False
        failure = error = None
        try:
            if self._open(contender):
                number, deadlines = contender.command.number, contender.deadlines
                failure = self._sender.read_until_content(contender.answer, number, deadlines)
        except BaseException as raised_error:
            error = raised_error
        with self.lock:
            contender.end(failure, error)
            contender.over = True
            contender.discarded = contender.abandoned and contender.opened
        if contender.discarded:
            _quietly(self._sender.discard, contender.answer)
        return True

    def _open(self, contender: Contender) -> bool:
        """Return True if the headers came before the race was over."""
        with ExitStack() as context:
            options = self._runtime.sending(contender.command, context)
            contender.answer = self._sender.send(options, contender.deadlines)
        with self.lock:
            contender.open(self._runtime)
            return not contender.abandoned


@cache
def _warn_unhedged(reason: str) -> None:
    """Log, once per process, that calls are not hedged."""
    _log.warning("calls are not hedged until a thread can be started (%s)", reason)


def _quietly(close: Callable[[Any], None], answer: Any) -> None:
    try:
        close(answer)
    except Exception:
        _log.debug("the connection of an unused answer did not close cleanly: %s", raised())


async def arace(runtime: CallRuntime, command: AttemptSpec, sender: AsyncHedgeSender, after: float) -> Command:
    """As `race`, for async code. The contenders run in one task group, which ends with the race."""
    import anyio  # both SDKs bring it

    hedge_race = HedgeRace(runtime, command, after)
    try:
        with until_closed(runtime.ending):
            async with anyio.create_task_group() as group:
                await _Tasks(runtime, sender, group).decide(hedge_race)
                hedge_race.finish()
                group.cancel_scope.cancel()
        hedge_race.halt_if_stopped(sender)
        following = hedge_race.result(sender)
    except BaseException:
        hedge_race.abandon()
        raise
    finally:
        for contender in hedge_race.contenders:
            if contender.abandoned and contender.opened:
                await _aquietly(sender.discard, contender.answer)
    return sender.attach(hedge_race.answer) if following is None else following


class _Tasks:
    """Contenders in the tasks of one group."""

    def __init__(self, runtime: CallRuntime, sender: AsyncHedgeSender, group: Any) -> None:
        import anyio

        self._runtime = runtime
        self._sender = sender
        self._group = group
        self._scopes: dict[Contender, anyio.CancelScope] = {}
        self._report = anyio.Event()

    async def decide(self, hedge_race: HedgeRace) -> None:
        """Start the contenders. Return when the race is over."""
        self._start(hedge_race.contenders[0])
        while not hedge_race.over:
            if await self._reports_within(hedge_race.wait_s):
                continue
            if hedge_race.hedge_is_due():
                self._start(hedge_race.add_hedge())
            await self._expire(hedge_race)

    def _start(self, contender: Contender | None) -> None:
        import anyio

        if contender is not None:
            self._scopes[contender] = anyio.CancelScope()
            self._group.start_soon(self._run, contender)

    async def _reports_within(self, seconds: float) -> bool:
        import anyio

        with anyio.move_on_after(None if seconds == inf else max(seconds, 0.0)):
            await self._report.wait()
            return True
        return False

    async def _expire(self, hedge_race: HedgeRace) -> None:
        """End late contenders. The event loop may have been held up, so first give it time to read what has arrived."""
        import anyio

        for _ in range(TURNS):
            if hedge_race.over or not hedge_race.late():
                return
            await anyio.lowlevel.checkpoint()
        for contender in hedge_race.late():
            if contender.expire():
                self._scopes[contender].cancel()

    async def _run(self, contender: Contender) -> None:
        import anyio

        try:
            with self._scopes[contender], ExitStack() as context:
                options = self._runtime.sending(contender.command, context)
                contender.answer = await self._sender.send(options, contender.deadlines)
                contender.open(self._runtime)
                number, deadlines = contender.command.number, contender.deadlines
                contender.end(await self._sender.read_until_content(contender.answer, number, deadlines))
        except (Exception, RecordedSilence) as error:
            contender.end(error=error)
        finally:
            contender.over = True
            self._report.set()
            self._report = anyio.Event()


async def _aquietly(close: Callable[[Any], Awaitable[None]], answer: Any) -> None:
    import anyio

    with anyio.move_on_after(_CLOSE_LIMIT_S, shield=True):
        try:
            await close(answer)
        except Exception:
            _log.debug("the connection of an unused answer did not close cleanly: %s", raised())
