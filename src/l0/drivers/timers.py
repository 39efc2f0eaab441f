"""Deadlines of reads in async code: one lazily re-armed handle under asyncio, a cancel scope under anyio's others."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator
from math import inf
from time import perf_counter
from types import coroutine
from typing import Any

from .clocks import Clocks
from .watchdog import Expired

Advance = Callable[[], Awaitable[Any]]


class AsyncioReads:
    """Cancels the reading task when a deadline passes.

    One `call_later` handle serves the whole body: a read only stores its deadline, and the handle, when it fires early,
    goes back to sleep for the rest. A read whose data is there already has no deadline: nothing could pass. One
    generator makes all reads, for it can *yield* what it has read; to return it takes an exception each time.
    """

    __slots__ = ("_clocks", "_deadline", "_fired", "_handle", "_loop", "_pulling", "_raw", "_step", "_task", "_when")

    def __init__(self, advance: Advance, clocks: Clocks) -> None:
        self._pulling = self._pull(advance)
        self._step = self._pulling.send
        self._raw: Any = None
        self._clocks = clocks
        self._loop = asyncio.get_running_loop()
        self._handle: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[Any] | None = None
        self._deadline = self._when = inf
        self._fired = False

    @coroutine
    def read(self) -> Generator[Any, Any, Any]:
        """The next raw read, to be awaited. Raises `Expired`, `StopAsyncIteration`, or what the transport raises."""
        waits_for = self._step(None)
        return self._raw if waits_for is self else (yield from self._wait(waits_for))

    def _pull(self, advance: Advance) -> Generator[Any, Any, None]:
        """Yields itself whenever `_raw` is a new read, and until then what the event loop has to wait for."""
        while True:
            self._raw = yield from advance().__await__()
            yield self

    def _wait(self, waits_for: Any) -> Generator[Any, Any, Any]:
        """What ``await`` does, for a read that has to wait, with the deadline set."""
        now = perf_counter()
        self._task = asyncio.current_task()
        self._deadline = deadline = self._clocks.reading(now)
        if deadline < self._when:
            self._schedule(deadline, now)
        try:
            while waits_for is not self:
                try:
                    sent = yield waits_for
                except BaseException as error:
                    waits_for = self._pulling.throw(error)
                else:
                    waits_for = self._step(sent)
        except BaseException as error:  # a transport may word our cancellation as an error of its own
            if self._fired and self._task is not None and self._task.uncancel() == 0:
                raise Expired from error
            raise
        finally:
            self._deadline = inf
        return (yield from self._cancelled()) if self._fired else self._raw

    def _cancelled(self) -> Generator[Any, Any, Any]:
        """The data came in the same tick: take the cancellation that is on its way."""
        try:
            yield
        except asyncio.CancelledError as error:
            if self._task is not None and self._task.uncancel() == 0:
                raise Expired from error
            raise

    def _schedule(self, deadline: float, now: float) -> None:
        if self._handle is not None:
            self._handle.cancel()
        self._when = deadline
        self._handle = self._loop.call_later(max(deadline - now, 0.0), self._fire)

    def _fire(self) -> None:
        now = perf_counter()
        self._handle, self._when = None, inf
        if self._deadline <= now:
            self._fired = True
            if self._task is not None:
                self._task.cancel()
        elif self._deadline < inf:
            self._schedule(self._deadline, now)

    def close(self) -> None:
        """No more reads."""
        self._pulling.close()
        if self._handle is not None:
            self._handle.cancel()


class ScopedReads:
    """A cancel scope around each read, for event loops other than asyncio."""

    __slots__ = ("_advance", "_clocks")

    def __init__(self, advance: Advance, clocks: Clocks) -> None:
        self._advance = advance
        self._clocks = clocks

    async def read(self) -> Any:
        """As `AsyncioReads.read`."""
        import anyio  # both SDKs bring it; asyncio users never need it here

        now = perf_counter()
        with anyio.move_on_after(self._clocks.reading(now) - now):
            return await self._advance()
        raise Expired

    def close(self) -> None:
        """No more reads."""


def _under_asyncio() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def deadline_reads(advance: Advance, clocks: Clocks) -> AsyncioReads | ScopedReads:
    """Reads with deadlines under whichever event loop is running."""
    return AsyncioReads(advance, clocks) if _under_asyncio() else ScopedReads(advance, clocks)


async def sleep(seconds: float) -> None:
    """Sleep under whichever event loop is running."""
    if _under_asyncio():
        await asyncio.sleep(seconds)
    else:
        import anyio  # who runs another loop has it

        await anyio.sleep(seconds)
