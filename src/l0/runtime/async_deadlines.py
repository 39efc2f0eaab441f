"""Apply deadlines to reads in async code: one lazily re-armed handle under asyncio, one task under trio.

A deadline ends a read only if no data is available. An event loop that was held up, by another task or by a stopped
process, sees the timer and the data in the same turn. A timer that fires therefore gives the loop a few turns to read,
and ends the read only if it still waits after them.

The module also has sleeps, for async and sync code, that end when the call or its client is closed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator, Iterator
from contextlib import contextmanager
from math import inf
from time import perf_counter
from types import coroutine
from typing import TYPE_CHECKING, Any
from weakref import WeakMethod

from l0.shared_state.auto_reset_event import AutoResetEvent

from .call_ending import CallEnding
from .deadlines import Deadlines, FixedDeadline
from .waiting_calls import WAITING
from .watchdog import Expired

if TYPE_CHECKING:
    import anyio

Advance = Callable[[], Awaitable[Any]]
"""A function that starts the next read, or a request."""
TURNS = 6
"""Turns of the event loop without progress after which a deadline ends a read. Available data takes one to three turns
to arrive: uvloop runs timers before it polls, and a TLS layer reads in two steps."""
_GRACE = 0.5
"""Seconds after a deadline at which a read ends even if it makes progress, because it might never return."""


class AsyncioReads:
    """Reads that cancel the reading task when a deadline passes.

    One `call_later` handle serves the whole body: a read only stores its deadline. If the handle fires before the
    deadline, it is set again. A read whose data is already available needs no deadline. One generator makes all reads,
    because it can *yield* each value; a coroutine would raise an exception per read to return it.

    ``_timer_at``: the time for which the handle is set. ``_steps``: how often the event loop resumed a read, as a sign
    of progress. ``_fired``: the task was cancelled because of a deadline. ``_earlier_cancellations``: the requests to
    cancel the task that were pending when the read began.
    """

    __slots__ = (
        "_earlier_cancellations",
        "_deadline",
        "_deadlines",
        "_fired",
        "_handle",
        "_loop",
        "_pulling",
        "_raw",
        "_step",
        "_steps",
        "_task",
        "_timer_at",
        "__weakref__",
    )

    def __init__(self, advance: Advance, deadlines: Deadlines) -> None:
        self._pulling = self._pull(advance)
        self._step = self._pulling.send
        self._raw: Any = None
        self._deadlines = deadlines
        self._loop = asyncio.get_running_loop()
        self._handle: asyncio.Handle | None = None
        self._task: asyncio.Task[Any] | None = None
        self._deadline = self._timer_at = inf
        self._fired = False
        self._steps = self._earlier_cancellations = 0

    @coroutine
    def read(self) -> Generator[Any, Any, Any]:
        """Return the next raw read; to be awaited. Raises `Expired`, `StopAsyncIteration`, or an error of the
        transport."""
        waits_for: Any = self
        try:
            waits_for = self._step(None)
        finally:
            if waits_for is self:  # else the wait sets the limits of this read
                self._deadlines.idle()
        return self._raw if waits_for is self else (yield from self._wait(waits_for))

    def _pull(self, advance: Advance) -> Generator[Any, Any, None]:
        """Yield the futures that the event loop has to wait for, and `self` whenever `_raw` is a new read."""
        while True:
            self._raw = yield from advance().__await__()
            yield self

    def _wait(self, waits_for: Any) -> Generator[Any, Any, Any]:
        """Wait for a read whose data has not arrived, as ``await`` would, until its deadline."""
        now = perf_counter()
        self._task = asyncio.current_task()
        self._earlier_cancellations = self._task.cancelling() if self._task is not None else 0
        self._deadline = deadline = self._deadlines.reading(now)
        if deadline < self._timer_at:
            self._schedule(deadline, now)
        try:
            while waits_for is not self:
                try:
                    sent = yield waits_for
                except BaseException as error:
                    waits_for = self._pulling.throw(error)
                else:
                    self._steps += 1
                    waits_for = self._step(sent)
        except BaseException as error:  # a transport may raise our cancellation as its own error
            if self._fired and self._uncancel():
                raise Expired from error
            raise
        finally:
            self._deadline = inf
        if self._fired:
            yield from self._absorb_cancellation()
        return self._raw

    def _absorb_cancellation(self) -> Generator[Any, Any, None]:
        """Wait for our own cancellation and take it back, because the data arrived in the same turn."""
        self._fired = False
        try:
            yield
        except asyncio.CancelledError:
            if not self._uncancel():
                raise

    def _uncancel(self) -> bool:
        """Take back our own cancellation of the task. Return True if nobody else has cancelled it since the read
        began."""
        return self._task is not None and self._task.uncancel() <= self._earlier_cancellations

    def _schedule(self, deadline: float, now: float) -> None:
        """Set the timer. It refers to the reads weakly: an idle timer must not keep an abandoned body alive, nor lead
        the garbage collector to the transport's generators before it finds the driver, which closes them."""
        if self._handle is not None:
            self._handle.cancel()
        self._timer_at = deadline
        self._handle = self._loop.call_later(max(deadline - now, 0.0), _call_if_alive, WeakMethod(self._fire))

    def _fire(self) -> None:
        """Act on a timer: check a deadline that has passed, or set the timer again if the deadline has moved."""
        now = perf_counter()
        if self._deadline <= now:
            self._give_turns(TURNS, self._steps, now + _GRACE)
        else:
            self._rearm(now)

    def _give_turns(self, turns: int, steps: int, until: float) -> None:
        """Let the loop read for some turns, then cancel the read if it made no progress."""
        now = perf_counter()
        if self._deadline > now:
            self._rearm(now)
        elif turns and now < until:
            turns = turns - 1 if steps == self._steps else TURNS
            self._handle = self._loop.call_soon(self._give_turns, turns, self._steps, until)
        else:
            self._handle, self._timer_at = None, inf
            self._fired = True
            if self._task is not None:
                self._task.cancel()

    def extend(self, deadline: float) -> None:
        """Move the deadline of the read that is under way to a later time."""
        self._deadlines, self._deadline = FixedDeadline(deadline), deadline

    def _rearm(self, now: float) -> None:
        self._handle, self._timer_at = None, inf
        if self._deadline < inf:
            self._schedule(self._deadline, now)

    def close(self) -> None:
        """Cancel the timer. No reads follow."""
        self._pulling.close()
        if self._handle is not None:
            self._handle.cancel()


class TrioReads:
    """Reads that cancel a scope around them. A separate task keeps the time, because trio cancels a scope whose
    deadline has passed before the task inside can read what has arrived."""

    __slots__ = ("_advance", "_deadlines", "_deadline", "_keeper_scope", "_sleep_scope", "_scope")

    def __init__(self, advance: Advance, deadlines: Deadlines) -> None:
        self._advance = advance
        self._deadlines = deadlines
        self._deadline = inf
        self._scope: Any = None
        self._keeper_scope: Any = None
        self._sleep_scope: Any = None

    async def read(self) -> Any:
        """Return the next raw read, as `AsyncioReads.read`."""
        now = perf_counter()
        deadline = self._deadlines.reading(now)
        if deadline == inf:
            return await self._advance()
        import trio

        with trio.CancelScope() as scope:
            self._scope, self._deadline = scope, deadline
            self._wake_at(trio.current_time() + deadline - now)
            try:
                return await self._advance()
            finally:
                self._scope, self._deadline = None, inf
        raise Expired

    def extend(self, deadline: float) -> None:
        """Move the deadline of the read that is under way to a later time."""
        self._deadlines, self._deadline = FixedDeadline(deadline), deadline

    def _wake_at(self, time: float) -> None:
        import trio

        if self._keeper_scope is None:
            self._keeper_scope = trio.CancelScope()
            self._sleep_scope = trio.CancelScope(deadline=time)
            trio.lowlevel.spawn_system_task(self._keep_time)
        elif time < self._sleep_scope.deadline:
            self._sleep_scope.deadline = time

    async def _keep_time(self) -> None:
        import trio

        with self._keeper_scope:
            while True:
                with self._sleep_scope:
                    await trio.sleep_forever()
                scope = self._scope
                for _ in range(TURNS if self._deadline <= perf_counter() else 0):
                    await trio.lowlevel.checkpoint()
                left = self._deadline - perf_counter()
                if scope is not None and scope is self._scope and left <= 0:
                    scope.cancel()
                    left = inf
                self._sleep_scope = trio.CancelScope(deadline=trio.current_time() + left)

    def close(self) -> None:
        """Stop the task that keeps the time. No reads follow."""
        if self._keeper_scope is not None:
            self._keeper_scope.cancel()


def _call_if_alive(method: WeakMethod[Callable[[], None]]) -> None:
    bound = method()
    if bound is not None:
        bound()


def _under_asyncio() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def deadline_reads(advance: Advance, deadlines: Deadlines) -> AsyncioReads | TrioReads:
    """Return reads with deadlines for the event loop that is running."""
    return AsyncioReads(advance, deadlines) if _under_asyncio() else TrioReads(advance, deadlines)


async def within(deadline: float, send: Advance) -> Any:
    """Return the result of ``send``. Cancel it and raise `Expired` once ``deadline`` has passed."""
    if deadline == inf:
        return await send()
    reads = deadline_reads(send, FixedDeadline(deadline))
    try:
        return await reads.read()
    finally:
        reads.close()


def ends_aborted_read(error: BaseException) -> bool:
    """Return True if ``error`` is the cancellation that ended a blocked read of an aborted call, and take it back."""
    task = asyncio.current_task() if isinstance(error, asyncio.CancelledError) else None
    return task is not None and task.uncancel() == 0


def wait_unless_stopped(seconds: float, ending: CallEnding) -> None:
    """Sleep in sync code; return early if the call or its client is closed."""
    if seconds <= 0:
        return
    closed = AutoResetEvent()
    with WAITING.wake_by(ending, closed.set):
        if not ending.stopped:
            closed.wait(seconds)


async def sleep(seconds: float, ending: CallEnding) -> None:
    """Sleep under whichever event loop is running; return early if the call or its client is closed."""
    if not _under_asyncio():
        import anyio  # both SDKs bring it

        with until_closed(ending):
            await anyio.sleep(seconds)
        return
    loop = asyncio.get_running_loop()
    over = loop.create_future()
    handle = loop.call_later(seconds, _resolve, over)
    try:
        with WAITING.wake_by(ending, lambda: loop.call_soon_threadsafe(_resolve, over)):
            if not ending.stopped:
                await over
    finally:
        handle.cancel()


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


@contextmanager
def until_closed(ending: CallEnding) -> Iterator[None]:
    """Cancel the work awaited in this block as soon as the call or its client is closed, and continue after the
    block."""
    import anyio  # both SDKs bring it

    with anyio.CancelScope() as scope:
        with WAITING.wake_by(ending, _canceller(scope)):
            if ending.stopped:
                scope.cancel()
            yield


def _canceller(scope: anyio.CancelScope) -> Callable[[], object]:
    """Return a function that cancels ``scope`` from any thread."""
    if not _under_asyncio():
        return scope.cancel
    loop = asyncio.get_running_loop()
    return lambda: loop.call_soon_threadsafe(scope.cancel)
