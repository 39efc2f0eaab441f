"""Deadlines of reads in async code: one lazily re-armed handle under asyncio, a cancel scope under anyio's others."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from math import inf
from time import perf_counter
from typing import Any

from .clocks import Clocks
from .watchdog import Expired

Advance = Callable[[], Awaitable[Any]]


class AsyncioReads:
    """Cancels the reading task when a deadline passes.

    One `call_later` handle serves the whole body: a read only stores its deadline, and the handle, when it fires early,
    goes back to sleep for the rest.
    """

    __slots__ = ("_advance", "_clocks", "_deadline", "_fired", "_handle", "_loop", "_task", "_when")

    def __init__(self, advance: Advance, clocks: Clocks) -> None:
        self._advance = advance
        self._clocks = clocks
        self._loop = asyncio.get_running_loop()
        self._handle: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[Any] | None = None
        self._deadline = self._when = inf
        self._fired = False

    async def read(self) -> Any:
        """The next raw read. Raises `Expired`, `StopAsyncIteration`, or what the transport raises."""
        now = perf_counter()
        self._task = asyncio.current_task()
        self._deadline = deadline = self._clocks.reading(now)
        if deadline < self._when:
            self._schedule(deadline, now)
        try:
            raw = await self._advance()
            if self._fired:
                await asyncio.sleep(0)  # the data came in the same tick: take the cancellation that is on its way
            return raw
        except BaseException as error:  # a transport may word our cancellation as an error of its own
            if self._fired and self._task is not None and self._task.uncancel() == 0:
                raise Expired from error
            raise
        finally:
            self._deadline = inf

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
