"""Many tasks: all at once, so many at a time, one after the other, batch by batch."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from time import perf_counter
from typing import Any, TypedDict, TypeVar, Unpack, overload

from l0.telemetry.branches import Fan
from l0.values.policy import PolicyError

from . import branches
from .progress import Step, bar
from .results import Branch, Results, Tally
from .tasks import Asking, Reading, Task, check

_log = logging.getLogger("l0")
T = TypeVar("T")
OnResult = Callable[[Branch[Any]], Any]


class Handling(TypedDict, total=False):
    """How what becomes of tasks is handled, by all of them alike.

    ``fail_fast``: the first failure cancels the others and is raised; else failures are in the results, whose
    ``values`` raise them. ``on_result``: told of each task as it ends, async or not. ``keep=False``: the results keep
    only their ``stats``, so that memory does not grow with the number of tasks. ``progress``: a title for a progress
    bar, shown where stderr is a terminal (extra ``cli``).
    """

    fail_fast: bool
    on_result: OnResult | None
    keep: bool
    progress: str | None


_Many = Iterable[Asking[T]]


@overload
async def parallel(
    work: Iterable[Reading], *, concurrency: int | None = None, **options: Unpack[Handling]
) -> Results[str]: ...
@overload
async def parallel(work: _Many[T], *, concurrency: int | None = None, **options: Unpack[Handling]) -> Results[T]: ...
@overload
async def parallel(
    work: Iterable[Task], *, concurrency: int | None = None, **options: Unpack[Handling]
) -> Results[Any]: ...
async def parallel(
    work: Iterable[Task], *, concurrency: int | None = None, **options: Unpack[Handling]
) -> Results[Any]:
    """Run tasks side by side, and return what became of each, in their order.

    ``concurrency``: so many at a time; ``None``: all at once. Tasks of an iterator are taken from it only as others
    end, so there may be any number of them; such need a ``concurrency``. The rest: see `Handling`.
    """
    at_once = _at_once("parallel.concurrency", work, concurrency)
    with Each.of(options, _length(work)) as each:
        return await collect(work, each, at_once=at_once, kind="parallel")


@overload
async def sequential(work: Iterable[Reading], **options: Unpack[Handling]) -> Results[str]: ...
@overload
async def sequential(work: _Many[T], **options: Unpack[Handling]) -> Results[T]: ...
@overload
async def sequential(work: Iterable[Task], **options: Unpack[Handling]) -> Results[Any]: ...
async def sequential(work: Iterable[Task], **options: Unpack[Handling]) -> Results[Any]:
    """As `parallel`, one task after the other."""
    with Each.of(options, _length(work)) as each:
        return await collect(work, each, at_once=1, kind="sequential")


@overload
async def batched(work: Iterable[Reading], *, size: int, **options: Unpack[Handling]) -> Results[str]: ...
@overload
async def batched(work: _Many[T], *, size: int, **options: Unpack[Handling]) -> Results[T]: ...
@overload
async def batched(work: Iterable[Task], *, size: int, **options: Unpack[Handling]) -> Results[Any]: ...
async def batched(work: Iterable[Task], *, size: int, **options: Unpack[Handling]) -> Results[Any]:
    """As `parallel`, in batches of ``size``: one begins when all tasks of the one before are over."""
    check_count("batched.size", size)
    source, first, began = iter(_checked("batched", work)), 0, perf_counter()
    done: list[Branch[Any]] = []
    with Each.of(options, _length(work)) as each, Fan("batched"):
        while batch := list(islice(source, size)):
            done += await collect(batch, each, at_once=size, kind="batch", first=first)
            first += len(batch)
    return Results(done, each.tally.stats((perf_counter() - began) * 1e3))


@dataclass(slots=True, kw_only=True, eq=False)
class Each:
    """What happens with each task that is over."""

    step: Step
    fail_fast: bool = False
    on_result: OnResult | None = None
    keep: bool = True
    tally: Tally = field(default_factory=Tally)
    ended: dict[int, Branch[Any]] = field(default_factory=dict)

    @classmethod
    @contextmanager
    def of(cls, options: Handling, total: int | None) -> Iterator[Each]:
        """As the user asked for, with a progress bar for ``total`` tasks while the block lasts."""
        for name in options:
            if name not in Handling.__annotations__:
                raise TypeError(f"{name!r} is no option; there are {', '.join(Handling.__annotations__)}")
        title = options.get("progress")
        if title is not None and not isinstance(title, str):
            raise PolicyError("progress", title, "a title, or None for no progress bar")
        hear = options.get("on_result")
        if hear is not None and not callable(hear):
            raise PolicyError("on_result", hear, "a function of one result, or None")
        with bar(title, total) as step:
            yield cls(
                step=step,
                fail_fast=options.get("fail_fast", False),
                on_result=hear,
                keep=options.get("keep", True),
            )

    async def told(self, branch: Branch[Any]) -> None:
        """One more is over."""
        self.tally.add(branch)
        if self.fail_fast and branch.error is not None:
            raise branch.error
        if self.keep:
            self.ended[branch.index] = branch
        await self._tell(branch)
        self.step()

    async def _tell(self, branch: Branch[Any]) -> None:
        if self.on_result is None:
            return
        try:
            heard = self.on_result(branch)
            if inspect.isawaitable(heard):
                await heard
        except Exception:
            _log.warning("on_result failed and is ignored", exc_info=True)


async def collect(work: Iterable[Task], each: Each, *, at_once: int, kind: str, first: int = 0) -> Results[Any]:
    """Run tasks to their end. ``first``: the index of the first."""
    began = perf_counter()
    each.ended.clear()
    with Fan(kind) as fan:
        for branch in await branches.run(_checked(kind, work), each.told, fan, at_once=at_once, first=first):
            each.ended[branch.index] = branch
    took = (perf_counter() - began) * 1e3
    return Results([branch for _, branch in sorted(each.ended.items())], each.tally.stats(took))


def check_count(field: str, value: object) -> None:
    """Raises `PolicyError` for what is no number of things."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise PolicyError(field, value, "a whole number, 1 or more")


def _checked(kind: str, work: Iterable[Task]) -> Iterable[Task]:
    """Tasks that are all at hand are looked at before the first is begun."""
    if isinstance(work, Sequence):
        for task in work:
            check(kind, task)
    return work


def _length(work: object) -> int | None:
    return len(work) if isinstance(work, Sequence) else None


def _at_once(field: str, work: Iterable[Any], concurrency: int | None) -> int:
    length = _length(work)
    if concurrency is None:
        if length is None:
            raise PolicyError(field, concurrency, "a whole number, 1 or more, for tasks that come from an iterator")
        return length
    check_count(field, concurrency)
    return concurrency if length is None else min(concurrency, length)
