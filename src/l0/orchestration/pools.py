"""A limit that several callers share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from functools import partial
from types import TracebackType
from typing import Any, TypeVar, overload

from . import tasks
from .results import Results
from .running import OnResult, check_count, parallel
from .tasks import Asking, Reading, Task

T = TypeVar("T")
T_in = TypeVar("T_in")


class Pool:
    """At most ``size`` tasks at a time, whoever runs them; the others wait, first come, first served.

    The tasks run in their callers, and end with them: a pool starts none of its own that could outlive it. As a
    context manager it lets those that have begun end, and then takes no more. Raises `PolicyError` for a size below 1.
    """

    def __init__(self, size: int) -> None:
        check_count("Pool.size", size)
        self._size = size
        self._slots = asyncio.Semaphore(size)
        self._running = self._waiting = 0
        self._closed = False

    @property
    def running(self) -> int:
        """Tasks under way."""
        return self._running

    @property
    def waiting(self) -> int:
        """Tasks that wait for their turn."""
        return self._waiting

    @overload
    async def run(self, task: Reading) -> str: ...
    @overload
    async def run(self, task: Asking[T]) -> T: ...
    @overload
    async def run(self, task: Task) -> Any: ...
    async def run(self, task: Task) -> Any:
        """Wait for a turn, run a task, and return its answer. Raises what it raises; `RuntimeError` once closed."""
        tasks.check("Pool.run", task)
        tasks.check_loop("Pool.run")
        self._waiting += 1
        try:
            await self._slots.acquire()
        finally:
            self._waiting -= 1
        try:
            if self._closed:
                raise RuntimeError("the pool is closed")
            self._running += 1
            try:
                return await tasks.answer(task)
            finally:
                self._running -= 1
        finally:
            self._slots.release()

    async def map(
        self, function: Callable[[T_in], Any], items: Iterable[T_in], *, on_result: OnResult | None = None
    ) -> Results[Any]:
        """Run what ``function`` makes of each item. Items are taken as others end, so there may be any number."""
        jobs = (partial(self.run, partial(function, item)) for item in items)
        return await parallel(jobs, concurrency=self._size, on_result=on_result)

    async def __aenter__(self) -> Pool:
        if self._closed:
            raise RuntimeError("the pool is closed")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closed = True
        for _ in range(self._size):
            await self._slots.acquire()
        for _ in range(self._size):
            self._slots.release()
