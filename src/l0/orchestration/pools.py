"""Pools: a concurrency limit that several callers share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from functools import partial
from types import TracebackType
from typing import Any, TypeVar, overload

from l0.model.option_names import refuses_unknown_options

from . import tasks
from .checks import check_count, check_function
from .fan_out import OnResult, parallel
from .results import Results
from .tasks import AwaitableTask, StreamTask, Task

T = TypeVar("T")
T_in = TypeVar("T_in")


@refuses_unknown_options
class Pool:
    """Runs at most ``size`` tasks at a time. Other tasks wait in the order of their arrival.

    The tasks run inside their callers and end with them: a pool starts no background tasks. When its context ends, a
    pool waits for the tasks that have begun, and then accepts no more. Raises `PolicyError` for a size below 1.
    """

    def __init__(self, size: int) -> None:
        check_count("Pool.size", size)
        self._size = size
        self._slots = asyncio.Semaphore(size)
        self._running = self._waiting = 0
        self._closed = False

    @property
    def running(self) -> int:
        """Return the number of running tasks."""
        return self._running

    @property
    def waiting(self) -> int:
        """Return the number of waiting tasks."""
        return self._waiting

    @overload
    async def run(self, task: StreamTask) -> str: ...
    @overload
    async def run(self, task: AwaitableTask[T]) -> T: ...
    @overload
    async def run(self, task: Task) -> Any: ...
    async def run(self, task: Task) -> Any:
        """Wait for a free slot, run a task, and return its answer.

        Raises the exception of the task; `RuntimeError` if the pool is closed; `PolicyError` for an invalid task.
        """
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
        """Run ``function`` on each item and return the results in order.

        The next item is fetched only when the task of another one has ended, so ``items`` may be infinite.
        ``on_result``: callback for each task that has ended.
        """
        check_function("Pool.map.function", function, "one item", optional=False)
        jobs = (partial(self.run, partial(function, item)) for item in items)
        return await parallel(jobs, concurrency=self._size, on_result=on_result)

    async def __aenter__(self) -> Pool:
        if self._closed:
            raise RuntimeError("the pool is closed")
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._closed = True
        # All slots are free only when every task that has begun is over.
        for _ in range(self._size):
            await self._slots.acquire()
        for _ in range(self._size):
            self._slots.release()
