"""Run many tasks: in parallel, with a concurrency limit, sequentially, or in batches."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from time import perf_counter
from typing import Any, TypedDict, TypeVar, Unpack, overload

from l0.migration import also_named, result_callback
from l0.model.errors import raised
from l0.model.option_names import unknown_option
from l0.model.policy import PolicyError

from . import task_group
from .checks import check_count, check_function, check_switch
from .fan_out_span import fan_out_span
from .progress import Step, bar
from .results import Branch, ResultCounts, Results
from .tasks import AwaitableTask, StreamTask, Task, check

_log = logging.getLogger("l0")
T = TypeVar("T")
OnResult = Callable[[Branch[Any]], Any]


class RunOptions(TypedDict, total=False):
    """Options that `parallel`, `sequential`, `batched` and windows share.

    ``fail_fast``: the first failure cancels the other tasks and is raised; otherwise failures are in the results, and
    ``values`` raises them. ``on_result``: callback for each task that has ended, sync or async; its exceptions are
    logged and ignored. ``keep=False``: the results keep only their ``stats``, so that memory does not grow with the
    number of tasks. ``progress``: title of a progress bar, shown if stderr is a terminal (extra ``cli``).
    """

    fail_fast: bool
    on_result: OnResult | None
    keep: bool
    progress: str | None


_Tasks = Iterable[AwaitableTask[T]]


@overload
async def parallel(
    tasks: Iterable[StreamTask], *, concurrency: int | None = None, **options: Unpack[RunOptions]
) -> Results[str]: ...
@overload
async def parallel(
    tasks: _Tasks[T], *, concurrency: int | None = None, **options: Unpack[RunOptions]
) -> Results[T]: ...
@overload
async def parallel(
    tasks: Iterable[Task], *, concurrency: int | None = None, **options: Unpack[RunOptions]
) -> Results[Any]: ...
async def parallel(
    tasks: Iterable[Task], *, concurrency: int | None = None, **options: Unpack[RunOptions]
) -> Results[Any]:
    """Run tasks concurrently and return their results in order.

    ``concurrency``: maximum number of concurrent tasks, or ``None`` for all. An iterator requires it: L0
    takes the next task only when another one has ended, so the iterator may be infinite. Other options: see
    `RunOptions`. Raises `PolicyError` for an invalid task or option before it starts any.
    """
    concurrency = _concurrency("parallel.concurrency", tasks, concurrency)
    with ResultHandler.of("parallel", options, _length(tasks), "concurrency") as result_handler:
        return await collect(tasks, result_handler, concurrency=concurrency, kind="parallel")


@overload
async def sequential(tasks: Iterable[StreamTask], **options: Unpack[RunOptions]) -> Results[str]: ...
@overload
async def sequential(tasks: _Tasks[T], **options: Unpack[RunOptions]) -> Results[T]: ...
@overload
async def sequential(tasks: Iterable[Task], **options: Unpack[RunOptions]) -> Results[Any]: ...
async def sequential(tasks: Iterable[Task], **options: Unpack[RunOptions]) -> Results[Any]:
    """Run tasks one after the other and return their results in order. Options: see `RunOptions`."""
    with ResultHandler.of("sequential", options, _length(tasks)) as result_handler:
        return await collect(tasks, result_handler, concurrency=1, kind="sequential")


@overload
async def batched(
    tasks: Iterable[StreamTask], handler: None = None, *, size: int, **options: Unpack[RunOptions]
) -> Results[str]: ...
@overload
async def batched(
    tasks: _Tasks[T], handler: None = None, *, size: int, **options: Unpack[RunOptions]
) -> Results[T]: ...
@overload
async def batched(
    tasks: Iterable[Any], handler: Callable[[Any], Any] | None = None, *, size: int, **options: Unpack[RunOptions]
) -> Results[Any]: ...
@also_named(batch_size="size")
async def batched(
    tasks: Iterable[Any], handler: Callable[[Any], Any] | None = None, *, size: int, **options: Unpack[RunOptions]
) -> Results[Any]:
    """Run tasks in batches of ``size`` and return their results in order.

    A batch begins when all tasks of the batch before have ended. ``handler``: a function that makes the task of each
    item of ``tasks``, which may then be any values. Other options: see `RunOptions`.
    """
    check_count("batched.size", size)
    check_function("batched.handler", handler, "one item")
    work = tasks if handler is None else (partial(handler, item) for item in tasks)
    source, first, began = iter(_checked("batched", work)), 0, perf_counter()
    branches: list[Branch[Any]] = []
    total = _length(tasks)
    with ResultHandler.of("batched", options, total, "handler", "size") as result_handler, fan_out_span("batched"):
        while batch := list(islice(source, size)):
            branches += await collect(batch, result_handler, concurrency=size, kind="batch", first=first)
            first += len(batch)
    return Results(branches, result_handler.tally.stats((perf_counter() - began) * 1e3))


@dataclass(slots=True, kw_only=True, eq=False)
class ResultHandler:
    """Handles each task that has ended: counts it, keeps it, calls ``on_result`` and advances the progress bar."""

    step: Step
    fail_fast: bool = False
    on_result: OnResult | None = None
    keep: bool = True
    tally: ResultCounts = field(default_factory=ResultCounts)
    ended: dict[int, Branch[Any]] = field(default_factory=dict)

    @classmethod
    @contextmanager
    def of(cls, owner: str, options: RunOptions, total: int | None, *others: str) -> Iterator[ResultHandler]:
        """Create a handler from the user's options, with a progress bar for ``total`` tasks while the block runs.

        ``owner``: the function that the user has called. ``others``: its other options. Raises `PolicyError` for an
        unknown option or an invalid value.
        """
        result_callback(options)
        for name, value in options.items():
            if name not in RunOptions.__annotations__:
                raise unknown_option(owner, name, value, (*others, *RunOptions.__annotations__))
        title = options.get("progress")
        if title is not None and not (isinstance(title, str) and title):
            raise PolicyError("progress", title, "a title, or None for no progress bar")
        on_result = options.get("on_result")
        check_function("on_result", on_result, "one result")
        fail_fast, keep = options.get("fail_fast", False), options.get("keep", True)
        check_switch("fail_fast", fail_fast)
        check_switch("keep", keep)
        with bar(title, total) as step:
            yield cls(
                step=step,
                fail_fast=fail_fast,
                on_result=on_result,
                keep=keep,
            )

    async def record(self, branch: Branch[Any]) -> None:
        """Record one more task that has ended. Raises its error with ``fail_fast``."""
        self.tally.add(branch)
        if self.keep:
            self.ended[branch.index] = branch
        await self._notify(branch)
        if self.fail_fast and branch.error is not None:
            raise branch.error
        self.step()

    async def _notify(self, branch: Branch[Any]) -> None:
        if self.on_result is None:
            return
        try:
            returned = self.on_result(branch)
            if inspect.isawaitable(returned):
                await returned
        except Exception:  # an error in a user's callback must not cancel the other tasks
            _log.warning("on_result failed and is ignored: %s", raised())


async def collect(
    work: Iterable[Task], result_handler: ResultHandler, *, concurrency: int, kind: str, first: int = 0
) -> Results[Any]:
    """Run tasks to their end and return their results. ``first``: index of the first task."""
    began = perf_counter()
    result_handler.ended.clear()
    with fan_out_span(kind) as fan_span:
        for branch in await task_group.run(
            _checked(kind, work), result_handler.record, fan_span, concurrency=concurrency, first=first
        ):
            result_handler.ended[branch.index] = branch
    duration_ms = (perf_counter() - began) * 1e3
    return Results(
        [branch for _, branch in sorted(result_handler.ended.items())], result_handler.tally.stats(duration_ms)
    )


def _checked(kind: str, work: Iterable[Task]) -> Iterable[Task]:
    """Check all tasks of a sequence before the first one is started. An iterator cannot be checked in advance."""
    if isinstance(work, Sequence):
        for task in work:
            check(kind, task)
    return work


def _length(work: object) -> int | None:
    return len(work) if isinstance(work, Sequence) else None


def _concurrency(field: str, work: Iterable[Any], concurrency: int | None) -> int:
    """Return the number of tasks to run at once. Raises `PolicyError`, which names ``field``."""
    length = _length(work)
    if concurrency is None:
        if length is None:
            raise PolicyError(field, concurrency, "a whole number, 1 or more, for tasks that come from an iterator")
        return length
    check_count(field, concurrency)
    return concurrency if length is None else min(concurrency, length)
