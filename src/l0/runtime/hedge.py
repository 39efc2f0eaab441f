"""Run two attempts side by side if the first is slow: the first to bring content serves the call.

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
from l0.shared_state.auto_reset_event import AutoResetEvent

from .async_deadlines import TURNS, until_closed
from .call_runtime import CallRuntime
from .recorded_silence import RecordedSilence
from .waiting_calls import WAITING

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

    def read_until_content(self, answer: Any, number: int) -> bool:
        """Read up to the first content, and keep it for the user. Return False if the body ended or failed before
        it. ``number``: of the attempt."""
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

    async def read_until_content(self, answer: Any, number: int) -> bool: ...

    async def discard(self, answer: Any) -> None: ...

    def stopped(self, answer: Any) -> None: ...


class Contender:
    """One attempt in a race.

    ``content_at``: the time at which it brought content. ``opened``: its headers have arrived. ``over``: its thread or
    task has ended, with or without content. ``abandoned``: it has lost, or the user stopped. ``discarded``: its
    connection is being closed, or is closed.
    """

    __slots__ = ("abandoned", "answer", "command", "content_at", "discarded", "error", "opened", "over", "started")

    def __init__(self, command: AttemptSpec) -> None:
        self.command = command
        self.started = perf_counter()
        self.answer: Any = None
        self.error: BaseException | None = None
        self.content_at: float | None = None
        self.opened = self.over = self.abandoned = self.discarded = False


class HedgeRace:
    """The contenders of a race, and the winner."""

    __slots__ = ("_final_winner", "contenders", "runtime")

    def __init__(self, runtime: CallRuntime, first: Contender) -> None:
        self.runtime = runtime
        self.contenders = [first]
        self._final_winner: Contender | None = None

    def add_hedge(self) -> Contender | None:
        """Add a hedge to the slow first attempt, and return it; ``None`` if the machine allows none."""
        first = self.contenders[0].command
        command = self.runtime.machine.step(Slow(perf_counter()))
        assert isinstance(command, AttemptSpec)
        if command.number == first.number:
            return None
        self.contenders.append(Contender(command))
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
    def silent(self) -> bool:
        """True if the first attempt plays a recording that ends in a silence: it is slow, without a wait."""
        return isinstance(self.contenders[0].error, RecordedSilence)

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
        return all(contender.over for contender in self.contenders)

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

    def result(self) -> Command | None:
        """Return the command after a race without a winner; ``None`` if an answer has won. Call it after `finish`."""
        runtime, winner, first = self.runtime, self._final_winner, self.contenders[0]
        served = winner if winner is not None else first
        for contender in self.contenders:
            if contender is not served:
                self._lost(contender)
        if winner is not None:
            self._won(winner)
            return None
        if first.error is None or runtime.ends_silence(first.error):
            return runtime.overdue()
        return runtime.failed(first.error, opened=first.opened)

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

    def _lost(self, contender: Contender) -> None:
        runtime, at = self.runtime, perf_counter()
        if isinstance(contender.error, RecordedSilence):
            contender.error.accepted = True
        failure = (
            runtime.call_adapter.failed(contender.error, opened=contender.opened)
            if contender.error is not None
            else None
        )
        if failure is None:
            runtime.admission.overtaken(at - contender.started)
        if runtime.recording is not None:
            runtime.recording.failed(contender.command.number, contender.error)
            runtime.recording.attempt_ended(contender.command.number, failure, at, lost=True)
        runtime.observers.lost(contender.command.number, failure, at)


def race(runtime: CallRuntime, command: AttemptSpec, sender: HedgeSender, after: float) -> Command:
    """Serve one attempt, with a second beside it if the first has brought no content after ``after`` seconds."""
    threads = _Threads(runtime, sender)
    send_first = threads.ready(command.number)
    if send_first is None:
        with ExitStack() as context:
            answer = sender.send(runtime.sending(command, context))
        return sender.attach(answer)
    hedge_race = HedgeRace(runtime, Contender(command))
    limit = runtime.first_limit
    began = hedge_race.contenders[0].started
    try:
        send_first(hedge_race.contenders[0])
        with WAITING.wake_by(runtime.ending, threads.wake):
            reported = hedge_race.over or threads.wait_for_report(min(after, limit))
            if (hedge_race.silent or not reported) and after < limit:
                _start_hedge(hedge_race, threads)
            while not hedge_race.over and threads.wait_for_report(limit - (perf_counter() - began)):
                pass
            if not hedge_race.over:  # this thread and the contenders may have been held up, while data arrived
                threads.wait_for_report(min(max(perf_counter() - began - limit, _SHORTEST_GRACE), _LONGEST_GRACE))
        hedge_race.halt_if_stopped(sender)
        with threads.lock:
            hedge_race.finish()
            following = hedge_race.result()
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
        try:
            if self._open(contender) and self._sender.read_until_content(contender.answer, contender.command.number):
                contender.content_at = perf_counter()
        except BaseException as error:
            if not contender.abandoned:  # L0 itself causes the errors of an abandoned contender
                contender.error = error
        with self.lock:
            contender.over = True
            contender.discarded = contender.abandoned and contender.opened
        if contender.discarded:
            _quietly(self._sender.discard, contender.answer)
        return True

    def _open(self, contender: Contender) -> bool:
        """Return True if the headers came before the race was over."""
        with ExitStack() as context:
            contender.answer = self._sender.send(self._runtime.sending(contender.command, context))
        with self.lock:
            contender.opened = True
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

    hedge_race = HedgeRace(runtime, Contender(command))
    limit = runtime.first_limit
    progress = anyio.Event()

    async def run(contender: Contender) -> None:
        nonlocal progress
        try:
            with ExitStack() as context:
                contender.answer = await sender.send(runtime.sending(contender.command, context))
            contender.opened = True
            if await sender.read_until_content(contender.answer, contender.command.number):
                contender.content_at = perf_counter()
        except (Exception, RecordedSilence) as error:
            if not contender.abandoned:  # a transport may raise our cancellation as its own error
                contender.error = error
        finally:
            contender.over = True
            progress.set()
            progress = anyio.Event()

    async def wait_for_report(seconds: float) -> bool:
        with anyio.move_on_after(None if seconds == inf else max(seconds, 0.0)):
            await progress.wait()
            return True
        return False

    began = hedge_race.contenders[0].started
    try:
        with until_closed(runtime.ending):
            async with anyio.create_task_group() as group:
                group.start_soon(run, hedge_race.contenders[0])
                reported = await wait_for_report(min(after, limit))
                slow = hedge_race.silent or not reported
                hedge = hedge_race.add_hedge() if slow and after < limit else None
                if hedge is not None:
                    group.start_soon(run, hedge)
                while not hedge_race.over and await wait_for_report(limit - (perf_counter() - began)):
                    pass
                await _let_read(hedge_race)
                hedge_race.finish()
                group.cancel_scope.cancel()
        hedge_race.halt_if_stopped(sender)
        following = hedge_race.result()
    except BaseException:
        hedge_race.abandon()
        raise
    finally:
        for contender in hedge_race.contenders:
            if contender.abandoned and contender.opened:
                await _aquietly(sender.discard, contender.answer)
    return sender.attach(hedge_race.answer) if following is None else following


async def _let_read(hedge_race: HedgeRace) -> None:
    """Give the event loop time to read what has arrived, because it may have been held up."""
    import anyio

    for _ in range(TURNS):
        if hedge_race.over:
            return
        await anyio.lowlevel.checkpoint()


async def _aquietly(close: Callable[[Any], Awaitable[None]], answer: Any) -> None:
    import anyio

    with anyio.move_on_after(_CLOSE_LIMIT_S, shield=True):
        try:
            await close(answer)
        except Exception:
            _log.debug("the connection of an unused answer did not close cleanly: %s", raised())
