"""Run two attempts side by side if the first is slow: the first to bring content serves the call.

The race is over before the user gets anything: it ends inside the request, and never crosses a ``yield``. The response
keeps for the user what a contender has read by then. The loser is closed at once; a sync loser that waits for its
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
from .waiting_calls import WAITING

_log = logging.getLogger("l0")
_SHORTEST_GRACE, _LONGEST_GRACE = 0.02, 0.5
"""Seconds after the limit in which contenders may hand in data that has arrived, at least and at most."""
_CLOSING = 1.0
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
    """One attempt in a race. ``content_at``: the time at which it brought content."""

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

    __slots__ = ("_served", "contenders", "runtime")

    def __init__(self, runtime: CallRuntime, first: Contender) -> None:
        self.runtime = runtime
        self.contenders = [first]
        self._served: Contender | None = None

    def join(self) -> Contender | None:
        """Return the hedge that runs from now on beside the slow first attempt; ``None`` if there is none."""
        first = self.contenders[0].command
        command = self.runtime.machine.step(Slow(perf_counter()))
        assert isinstance(command, AttemptSpec)
        if command.number == first.number:
            return None
        self.contenders.append(Contender(command))
        return self.contenders[-1]

    @property
    def winner(self) -> Contender | None:
        """The first contender that brought content. After all have ended, one that has an answer at all."""
        timed = [one for one in self.contenders if one.content_at is not None]
        if timed:
            return min(timed, key=lambda one: one.content_at or inf)
        answered = [one for one in self.contenders if one.error is None]
        return answered[0] if self._ended and answered else None

    @property
    def over(self) -> bool:
        """True if there is nothing left to wait for, with or without a winner."""
        return self._ended or any(one.content_at is not None for one in self.contenders) or self.runtime.ending.stopped

    @property
    def _ended(self) -> bool:
        return all(one.over for one in self.contenders)

    def halt_if_stopped(self, sender: HedgeSender | AsyncHedgeSender) -> None:
        """If the user has stopped the call or closed its client, raise what the bare SDK raises for the first
        attempt."""
        if self.runtime.ending.stopped:
            first = self.contenders[0]
            sender.stopped(first.answer)
            self.runtime.halt(first.error)

    def abandon(self) -> None:
        """End the race without a winner, because the user stopped."""
        for one in self.contenders:
            one.abandoned = True

    def finish(self) -> None:
        """End the race. Errors of the losers from now on are caused by L0 itself."""
        self._served = self.winner
        for one in self.contenders:
            one.abandoned = one is not self._served

    def result(self) -> Command | None:
        """Return the command after a race without a winner; ``None`` if an answer has won. Call it after `finish`."""
        runtime, winner, first = self.runtime, self._served, self.contenders[0]
        served = winner if winner is not None else first
        for one in self.contenders:
            if one is not served:
                self._lost(one)
        if winner is not None:
            self._won(winner)
            return None
        return runtime.overdue() if first.error is None else runtime.failed(first.error, opened=first.opened)

    @property
    def answer(self) -> Any:
        """The answer that has won."""
        return self._served.answer if self._served is not None else None

    def _won(self, one: Contender) -> None:
        runtime = self.runtime
        runtime.hedged = one.command.hedge
        runtime.number, runtime.started = one.command.number, one.started
        if one.content_at is not None:
            runtime.admission.first_content(one.content_at - one.started)

    def _lost(self, one: Contender) -> None:
        runtime, at = self.runtime, perf_counter()
        failure = runtime.call_adapter.failed(one.error, opened=one.opened) if one.error is not None else None
        if failure is None:
            runtime.admission.overtaken(at - one.started)
        if runtime.recording is not None:
            runtime.recording.failed(one.command.number, one.error)
            runtime.recording.attempt_ended(one.command.number, failure, at, lost=True)
        runtime.observers.lost(one.command.number, failure, at)


def race(runtime: CallRuntime, command: AttemptSpec, sender: HedgeSender, after: float) -> Command:
    """Serve one attempt, with a second beside it if the first has brought nothing after ``after`` seconds."""
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
            if not hedge_race.over and not threads.wait_for_report(min(after, limit)) and after < limit:
                _start_hedge(hedge_race, threads)
            while not hedge_race.over and threads.wait_for_report(limit - (perf_counter() - began)):
                pass
            if not hedge_race.over:  # this thread, and the contenders, may have been held up
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
        for one in hedge_race.contenders:
            threads.clear_away(one)
    return sender.attach(hedge_race.answer) if following is None else following


def _start_hedge(hedge_race: HedgeRace, threads: _Threads) -> None:
    send = threads.ready(hedge_race.contenders[0].command.number + 1)
    if send is None:
        return
    hedge = None
    try:
        hedge = hedge_race.join()
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
            # Here, where this thread no longer keeps the answer: its user may drop it at once.
            self._report.set()

    def wait_for_report(self, seconds: float) -> bool:
        """Wait. Return True if a contender reports, or `wake` is called, within ``seconds``."""
        return self._report.wait(None if seconds == inf else seconds)

    def clear_away(self, one: Contender) -> None:
        """End the reading of an abandoned contender. Before its headers it cannot be reached; it then closes itself."""
        with self.lock:
            must_close = one.abandoned and one.opened and not one.discarded
            reading = must_close and not one.over
            one.discarded = one.discarded or (must_close and one.over)
        if reading:
            _quietly(self._sender.abort, one.answer)
        elif must_close:
            _quietly(self._sender.discard, one.answer)

    def _run(self, one: Contender | None) -> bool:
        """Run a contender up to its content or its end. Return False if it was cancelled before it started."""
        if one is None:
            return False
        try:
            if self._open(one) and self._sender.read_until_content(one.answer, one.command.number):
                one.content_at = perf_counter()
        except BaseException as error:
            if not one.abandoned:  # L0 itself causes the errors of an abandoned contender
                one.error = error
        with self.lock:
            one.over = True
            one.discarded = one.abandoned and one.opened
        if one.discarded:
            _quietly(self._sender.discard, one.answer)
        return True

    def _open(self, one: Contender) -> bool:
        """Return True if the headers came before the race was over."""
        with ExitStack() as context:
            one.answer = self._sender.send(self._runtime.sending(one.command, context))
        with self.lock:
            one.opened = True
            return not one.abandoned


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
    """Run `race` in one task group, which ends with it."""
    import anyio  # both SDKs bring it

    hedge_race = HedgeRace(runtime, Contender(command))
    limit = runtime.first_limit
    progress = anyio.Event()

    async def run(one: Contender) -> None:
        nonlocal progress
        try:
            with ExitStack() as context:
                one.answer = await sender.send(runtime.sending(one.command, context))
            one.opened = True
            if await sender.read_until_content(one.answer, one.command.number):
                one.content_at = perf_counter()
        except Exception as error:
            if not one.abandoned:  # a transport may raise our cancellation as its own error
                one.error = error
        finally:
            one.over = True
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
                slow = not await wait_for_report(min(after, limit)) and after < limit
                hedge = hedge_race.join() if slow else None
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
        for one in hedge_race.contenders:
            if one.abandoned and one.opened:
                await _aquietly(sender.discard, one.answer)
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

    with anyio.move_on_after(_CLOSING, shield=True):
        try:
            await close(answer)
        except Exception:
            _log.debug("the connection of an unused answer did not close cleanly: %s", raised())
