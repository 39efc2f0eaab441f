"""Several tasks at once, in one scope: none outlives it, whatever ends it.

Tasks are taken one by one, as many at a time as allowed, so that there may be any number of them. Whoever started them
is told of each as it ends, and may say that it has heard enough: the rest is cancelled then, and waited for until it
has let go of its connections.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import Any

from l0.patching.switchboard import overhearing
from l0.telemetry.branches import Fan

from . import tasks
from .costs import Account
from .results import Branch, Status
from .tasks import Task

Enough = Callable[[Branch[Any]], Any]
"""Told of each task that has ended; may be async. True: the others are not needed any more."""


class _EnoughError(Exception):
    """Makes a task group cancel what is still running."""


async def run(work: Iterable[Task], told: Enough, fan: Fan, *, at_once: int, first: int = 0) -> list[Branch[Any]]:
    """Run tasks until all are over, or ``told`` has heard enough. Returns those that were cancelled under way.

    ``fan``: their place in the trace. ``first``: the index of the first task. Errors of tasks are values; what
    ``told`` raises ends the scope, and so does a cancellation from outside.
    """
    tasks.check_loop("orchestration")
    scope = _Scope(queue=iter(enumerate(work, first)), told=told, fan=fan)
    error: Exception | None = None
    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(at_once):
                group.create_task(scope.work())
    except* _EnoughError:
        pass
    except* Exception as errors:
        error = errors.exceptions[0] if len(errors.exceptions) == 1 else errors
    if error is not None:
        raise error  # out here it keeps its own cause, and gets no group for a context
    return scope.cancelled


@dataclass(slots=True, kw_only=True, eq=False)
class _Scope:
    """What the workers of one run share."""

    queue: Iterator[tuple[int, Task]]
    told: Enough
    fan: Fan
    cancelled: list[Branch[Any]] = field(default_factory=list)

    async def work(self) -> None:
        """One task after the other, until none is left."""
        for index, task in self.queue:
            branch = await self._branch(index, task)
            if await self._tell(branch):
                raise _EnoughError
            await asyncio.sleep(0)  # tasks that never wait must not keep everybody else from it

    async def _tell(self, branch: Branch[Any]) -> Any:
        enough = self.told(branch)
        if not inspect.isawaitable(enough):
            return enough
        try:
            return await enough
        except asyncio.CancelledError:  # it has cost what it cost, though nobody looks at its answer any more
            self.cancelled.append(replace(branch, status=Status.CANCELLED, value=None, error=None))
            raise

    async def _branch(self, index: int, task: Task) -> Branch[Any]:
        account, began = Account(), perf_counter()

        def over(status: Status, value: Any = None, error: Exception | None = None) -> Branch[Any]:
            took = (perf_counter() - began) * 1e3
            return Branch(index=index, status=status, value=value, error=error, duration=took, cost=account.cost)

        with overhearing(account), self.fan.branch(index) as span:
            try:
                value = await tasks.answer(task)
            except Exception as error:
                span.failed(error)
                return over(Status.FAILED, error=error)
            except asyncio.CancelledError as cancellation:
                if _is_ours():
                    span.cancelled()
                    self.cancelled.append(over(Status.CANCELLED))
                    raise
                span.failed(cancellation)
                return over(Status.FAILED, error=_from_within(cancellation))
            span.answered()
            return over(Status.OK, value)


def _is_ours() -> bool:
    """Whether this task is being cancelled; else something that it waits for was."""
    current = asyncio.current_task()
    return current is not None and current.cancelling() > 0


def _from_within(cancellation: BaseException) -> Exception:
    error = RuntimeError("what the task was waiting for was cancelled")
    error.__cause__ = cancellation
    return error
