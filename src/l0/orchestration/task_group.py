"""Run several tasks concurrently in one scope. No task outlives the scope, however the scope ends.

The group fetches tasks from the iterable one by one, up to the concurrency limit, so the iterable may be infinite. It
calls a function when a task ends. The function may stop the run: the group then cancels the remaining tasks, and waits
until they have closed their connections.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import Any

from l0.config import observed_by
from l0.telemetry.fan_out_spans import FanOutSpan

from . import tasks
from .results import Branch, BranchStatus
from .task_usage import UsageObserver
from .tasks import Task

OnEnd = Callable[[Branch[Any]], Any]
"""Callback for each task that has ended; may be async. If it returns true, L0 cancels the other tasks."""


class _StopError(Exception):
    """Makes a task group cancel its running tasks."""


async def run(
    work: Iterable[Task], on_end: OnEnd, fan_span: FanOutSpan, *, concurrency: int, first: int = 0
) -> list[Branch[Any]]:
    """Run tasks until all have ended or ``on_end`` returns true. Return the tasks that were cancelled while running.

    ``fan_span``: the span of the run. ``concurrency``: maximum number of concurrent tasks. ``first``: index of the
    first task. An error of a task is in its branch. An exception of ``on_end``, or a cancellation from outside, ends
    the scope and is raised.
    """
    tasks.check_loop("orchestration")
    scope = _Scope(queue=iter(enumerate(work, first)), on_end=on_end, fan_span=fan_span)
    failed = False
    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(concurrency):
                group.create_task(scope.work())
    except* _StopError:
        pass
    except* Exception:
        failed = True
    if failed:  # raised outside of `except*`, so that it keeps its own cause and gets no group as its context
        raise scope.first_error()
    return scope.cancelled


@dataclass(slots=True, kw_only=True, eq=False)
class _Scope:
    """State that the workers of one run share."""

    queue: Iterator[tuple[int, Task]]
    on_end: OnEnd
    fan_span: FanOutSpan
    cancelled: list[Branch[Any]] = field(default_factory=list)
    errors: list[Exception] = field(default_factory=list)
    """The exceptions that ended the scope, in order. Several workers may fail before the cancellation reaches them."""

    async def work(self) -> None:
        """Run tasks from the queue, one after the other, until it is empty."""
        try:
            await self._work()
        except _StopError:
            raise
        except Exception as error:
            self.errors.append(error)
            raise

    async def _work(self) -> None:
        for index, task in self.queue:
            branch = await self._branch(index, task)
            if await self._notify(branch):
                raise _StopError
            await asyncio.sleep(0)  # tasks that never suspend must not block the event loop

    def first_error(self) -> Exception:
        """Return the first exception that ended the scope; notes on it name the others."""
        first, *others = self.errors
        for other in others:
            if other is not first:
                first.add_note(f"l0: another task failed, too: {type(other).__name__}: {other}")
        return first

    async def _notify(self, branch: Branch[Any]) -> Any:
        may_stop = self.on_end(branch)
        if not inspect.isawaitable(may_stop):
            return may_stop
        try:
            return await may_stop
        except asyncio.CancelledError:  # the answer is no longer needed, but its usage counts
            self.cancelled.append(replace(branch, status=BranchStatus.CANCELLED, value=None, error=None))
            raise

    async def _branch(self, index: int, task: Task) -> Branch[Any]:
        usage_observer, began = UsageObserver(), perf_counter()

        def finished(status: BranchStatus, value: Any = None, error: Exception | None = None) -> Branch[Any]:
            ms = (perf_counter() - began) * 1e3
            return Branch(
                index=index, status=status, value=value, error=error, duration_ms=ms, usage=usage_observer.usage
            )

        with observed_by(usage_observer), self.fan_span.branch(index) as span:
            try:
                value = await tasks.answer(task)
            except Exception as error:
                span.failed(error)
                return finished(BranchStatus.FAILED, error=error)
            except asyncio.CancelledError as cancellation:
                if _is_being_cancelled():
                    span.cancelled()
                    self.cancelled.append(finished(BranchStatus.CANCELLED))
                    raise
                span.failed(cancellation)
                return finished(BranchStatus.FAILED, error=_awaited_was_cancelled(cancellation))
            span.answered()
            return finished(BranchStatus.OK, value)


def _is_being_cancelled() -> bool:
    """Return True if the current task is being cancelled, false if something that it awaits was cancelled."""
    current = asyncio.current_task()
    return current is not None and current.cancelling() > 0


def _awaited_was_cancelled(cancellation: BaseException) -> Exception:
    error = RuntimeError("an operation that the task awaited was cancelled")
    error.__cause__ = cancellation
    return error
