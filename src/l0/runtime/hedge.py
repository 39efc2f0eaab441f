"""Two attempts side by side, where the first is slow: the first to bring content serves the call.

The race is over before the user gets anything: it ends inside the request, and nothing of it crosses a ``yield``. What
a contender has read by then is kept for the user, in its response. The loser is closed at once; a sync one whose
headers have not come yet cannot be, so it closes itself when they do.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Awaitable, Callable
from contextvars import copy_context
from functools import cache, partial
from math import inf
from queue import Empty, SimpleQueue
from time import perf_counter
from typing import Any, Protocol, runtime_checkable

from l0.engine.commands import Command
from l0.engine.signals import Slow
from l0.model.attempt import AttemptSpec
from l0.model.errors import raised

from .async_deadlines import TURNS
from .call_runtime import CallRuntime

_log = logging.getLogger("l0")
_AGAIN, _GRACE = 0.02, 0.5
"""Seconds that contenders have after the limit to hand in what has arrived, at least and at most."""
_CLOSING = 1.0
"""Seconds that the connection of a loser may take to close."""


class Sender(Protocol):
    """Sends the attempts of one call. ``answer``: the one that serves it."""

    answer: Any

    def send(self, options: Any) -> Any:
        """Send one attempt; returns at its headers."""
        ...

    def attach(self, answer: Any) -> Command:
        """Serve the call from this answer. Return the next command."""
        ...


@runtime_checkable
class HedgeSender(Sender, Protocol):
    """A sender whose attempts can be hedged."""

    def read_until_content(self, answer: Any) -> bool:
        """Read up to the first content, and keep it for the user. ``False``: the body ended, or failed, before it."""
        ...

    def discard(self, answer: Any) -> None:
        """Close the connection of an answer that nobody will read."""

    def abort(self, answer: Any) -> None:
        """Make a `read_until_content` that is under way in another thread end at once, where that is possible."""


class AsyncSender(Protocol):
    """As `Sender`."""

    answer: Any

    async def send(self, options: Any) -> Any: ...

    def attach(self, answer: Any) -> Command: ...


@runtime_checkable
class AsyncHedgeSender(AsyncSender, Protocol):
    """As `HedgeSender`."""

    async def read_until_content(self, answer: Any) -> bool: ...

    async def discard(self, answer: Any) -> None: ...


class Contender:
    """One attempt in a race. ``at``: when it brought content."""

    __slots__ = ("abandoned", "answer", "at", "command", "discarded", "error", "opened", "over", "started")

    def __init__(self, command: AttemptSpec) -> None:
        self.command = command
        self.started = perf_counter()
        self.answer: Any = None
        self.error: BaseException | None = None
        self.at: float | None = None
        self.opened = self.over = self.abandoned = self.discarded = False


class HedgeRace:
    """Who runs, and who has won."""

    __slots__ = ("_served", "contenders", "runtime")

    def __init__(self, runtime: CallRuntime, first: Contender) -> None:
        self.runtime = runtime
        self.contenders = [first]
        self._served: Contender | None = None

    def join(self) -> Contender | None:
        """The first is slow: the hedge that runs beside it from now on, if there is to be one."""
        standing = self.contenders[0].command
        command = self.runtime.machine.step(Slow(perf_counter()))
        assert isinstance(command, AttemptSpec)
        if command.number == standing.number:
            return None
        self.contenders.append(Contender(command))
        return self.contenders[-1]

    @property
    def winner(self) -> Contender | None:
        """The first that brought content; when all are over, one that has an answer at all."""
        timed = [one for one in self.contenders if one.at is not None]
        if timed:
            return min(timed, key=lambda one: one.at or inf)
        answered = [one for one in self.contenders if one.error is None]
        return answered[0] if self.over and answered else None

    @property
    def over(self) -> bool:
        """Whether there is nothing left to wait for, won or not."""
        return all(one.over for one in self.contenders) or any(one.at is not None for one in self.contenders)

    def abandon(self) -> None:
        """The user stopped: nobody wins."""
        for one in self.contenders:
            one.abandoned = True

    def call_off(self) -> None:
        """It is decided: what those meet from now on that have not won is our own doing."""
        self._served = self.winner
        for one in self.contenders:
            one.abandoned = one is not self._served

    def result(self) -> Command | None:
        """Once it is called off: ``None`` if an answer has won, else the command that follows."""
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
        if one.at is not None:
            runtime.admission.first_content(one.at - one.started)

    def _lost(self, one: Contender) -> None:
        runtime, at = self.runtime, perf_counter()
        failure = runtime.upstream.failed(one.error, opened=one.opened) if one.error is not None else None
        if failure is None:
            runtime.admission.overtaken(at - one.started)
        runtime.observers.lost(one.command.number, failure, at)


def race(runtime: CallRuntime, command: AttemptSpec, sender: HedgeSender, after: float) -> Command:
    """Serve one attempt, with a second beside it where it has brought nothing after ``after`` seconds."""
    threads = _Threads(runtime, sender)
    send_first = threads.ready(command.number)
    if send_first is None:
        with runtime.sending(command) as options:
            answer = sender.send(options)
        return sender.attach(answer)
    course = HedgeRace(runtime, Contender(command))
    limit = runtime.first_limit
    began = course.contenders[0].started
    try:
        send_first(course.contenders[0])
        if not threads.came_in(min(after, limit)) and after < limit:
            send = threads.ready(command.number + 1)
            if send is not None:
                hedge = None
                try:
                    hedge = course.join()
                finally:
                    send(hedge)
        while not course.over and threads.came_in(limit - (perf_counter() - began)):
            pass
        if not course.over:  # this thread may have been held up, and the contenders with it
            threads.came_in(min(max(perf_counter() - began - limit, _AGAIN), _GRACE))
        with threads.lock:
            course.call_off()
            following = course.result()
    except BaseException:
        with threads.lock:
            course.abandon()
        raise
    finally:
        for one in course.contenders:
            threads.clear_away(one)
    return sender.attach(course.answer) if following is None else following


class _Threads:
    """Contenders on threads of their own. The lock is held while it is settled who reads and who closes."""

    def __init__(self, runtime: CallRuntime, sender: HedgeSender) -> None:
        self.lock = threading.Lock()
        self._runtime = runtime
        self._sender = sender
        self._finished: SimpleQueue[Contender] = SimpleQueue()

    def ready(self, number: int) -> Callable[[Contender | None], None] | None:
        """What sends a contender off, or none after all, on a thread that is there already; ``None`` without one."""
        gate: SimpleQueue[Contender | None] = SimpleQueue()
        work = partial(copy_context().run, self._enter, gate)
        try:
            threading.Thread(target=work, name=f"l0-attempt-{number}", daemon=True).start()
        except RuntimeError as error:  # the limit of threads, or the interpreter's end
            _say_unhedged(str(error))
            return None
        return gate.put

    def _enter(self, gate: SimpleQueue[Contender | None]) -> None:
        one = gate.get()
        if one is not None:
            self._run(one)

    def came_in(self, seconds: float) -> bool:
        """Whether a contender came in within so many seconds."""
        try:
            self._finished.get(timeout=None if seconds == inf else max(seconds, 0.0))
        except Empty:
            return False
        return True

    def clear_away(self, one: Contender) -> None:
        """End the reading of one that was abandoned; before its headers it cannot be reached, and will do it itself."""
        with self.lock:
            mine = one.abandoned and one.opened and not one.discarded
            reading = mine and not one.over
            one.discarded = one.discarded or (mine and one.over)
        if reading:
            _quietly(self._sender.abort, one.answer)
        elif mine:
            _quietly(self._sender.discard, one.answer)

    def _run(self, one: Contender) -> None:
        try:
            if self._open(one) and self._sender.read_until_content(one.answer):
                one.at = perf_counter()
        except BaseException as error:
            if not one.abandoned:  # what an abandoned one meets is our doing
                one.error = error
        with self.lock:
            one.over = True
            one.discarded = one.abandoned and one.opened
        if one.discarded:
            _quietly(self._sender.discard, one.answer)
        self._finished.put(one)

    def _open(self, one: Contender) -> bool:
        """Whether its headers came before the race was over."""
        with self._runtime.sending(one.command) as options:
            one.answer = self._sender.send(options)
        with self.lock:
            one.opened = True
            return not one.abandoned


@cache
def _say_unhedged(reason: str) -> None:
    """Once: a program without threads makes many calls."""
    _log.warning("calls are not hedged until a thread can be started (%s)", reason)


def _quietly(close: Callable[[Any], None], answer: Any) -> None:
    try:
        close(answer)
    except Exception:
        _log.debug("an answer that nobody reads did not close cleanly: %s", raised())


async def arace(runtime: CallRuntime, command: AttemptSpec, sender: AsyncHedgeSender, after: float) -> Command:
    """As `race`, in one task group, which ends with it."""
    import anyio  # both SDKs bring it

    course = HedgeRace(runtime, Contender(command))
    limit = runtime.first_limit
    progress = anyio.Event()

    async def run(one: Contender) -> None:
        nonlocal progress
        try:
            with runtime.sending(one.command) as options:
                one.answer = await sender.send(options)
            one.opened = True
            if await sender.read_until_content(one.answer):
                one.at = perf_counter()
        except Exception as error:
            if not one.abandoned:  # a transport may word our cancellation as an error of its own
                one.error = error
        finally:
            one.over = True
            progress.set()
            progress = anyio.Event()

    async def come_in(seconds: float) -> bool:
        with anyio.move_on_after(None if seconds == inf else max(seconds, 0.0)):
            await progress.wait()
            return True
        return False

    began = course.contenders[0].started
    try:
        async with anyio.create_task_group() as group:
            group.start_soon(run, course.contenders[0])
            if not await come_in(min(after, limit)) and after < limit:
                hedge = course.join()
                if hedge is not None:
                    group.start_soon(run, hedge)
            while not course.over and await come_in(limit - (perf_counter() - began)):
                pass
            await _let_read(course)
            course.call_off()
            group.cancel_scope.cancel()
        following = course.result()
    except BaseException:
        course.abandon()
        raise
    finally:
        for one in course.contenders:
            if one.abandoned and one.opened:
                await _aquietly(sender.discard, one.answer)
    return sender.attach(course.answer) if following is None else following


async def _let_read(course: HedgeRace) -> None:
    """The event loop may have been held up: let it read what has arrived."""
    import anyio

    for _ in range(TURNS):
        if course.over:
            return
        await anyio.lowlevel.checkpoint()


async def _aquietly(close: Callable[[Any], Awaitable[None]], answer: Any) -> None:
    import anyio

    with anyio.move_on_after(_CLOSING, shield=True):
        try:
            await close(answer)
        except Exception:
            _log.debug("an answer that nobody reads did not close cleanly: %s", raised())
