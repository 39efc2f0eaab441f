"""Races: run several tasks, and return the first valid answer."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Generic, TypeVar, overload

from l0.migration import RaceAliases
from l0.model.former_names import former_name
from l0.model.option_names import refuses_unknown_options
from l0.model.policy import PolicyError

from . import task_group
from .checks import check_function
from .fan_out_span import fan_out_span
from .results import Branch, BranchStatus
from .stream_reading import text_of
from .task_usage import Usage
from .tasks import AwaitableTask, StreamTask, Task, check

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
Valid = Callable[[Any], bool | Awaitable[bool]]


class InvalidAnswerError(ValueError):
    """An answer was received but is not valid. ``answer``: the answer."""

    def __init__(self, answer: object) -> None:
        super().__init__("the answer is not valid")
        self.answer = answer


class NoAnswerError(ExceptionGroup[Exception]):
    """No task gave a valid answer. ``exceptions``: the errors, in the order of the tasks."""

    def derive(self, excs: Sequence[Any], /) -> Any:
        """Return a group of the same class for a subset of the errors, as ``except*`` requires."""
        return NoAnswerError(self.message, excs)


@dataclass(frozen=True, slots=True, kw_only=True)
class Race(RaceAliases, Generic[T_co]):
    """The result of a race. ``value``: the winning answer. ``winner``: index of its task.

    ``branches``: all tasks in order, each with its usage. ``usage`` includes the usage of the losers. ``duration_ms``:
    milliseconds.
    """

    value: T_co
    winner: int
    branches: tuple[Branch[T_co], ...]
    duration_ms: float
    duration = former_name("duration", "duration_ms")
    cost = former_name("cost", "usage")

    @property
    def usage(self) -> Usage:
        """Return the usage of all tasks together."""
        return sum((branch.usage for branch in self.branches), Usage())


@overload
async def race(tasks: Sequence[StreamTask], *, valid: Valid | None = None) -> Race[str]: ...
@overload
async def race(tasks: Sequence[AwaitableTask[T]], *, valid: Valid | None = None) -> Race[T]: ...
@overload
async def race(tasks: Sequence[Task], *, valid: Valid | None = None) -> Race[Any]: ...
@refuses_unknown_options
async def race(tasks: Sequence[Task], *, valid: Valid | None = None) -> Race[Any]:
    """Run all tasks concurrently and return the first valid answer. Cancel the others and close their connections.

    ``valid``: function of the answer, sync or async; by default every answer that is not empty is valid. A task that
    raises is out of the race. Raises `NoAnswerError` (an `ExceptionGroup`) if no task gives a valid answer, and
    `PolicyError` if there are no tasks.
    """
    for task in tasks:
        check("race", task)
    if not tasks:
        raise PolicyError("race", tasks, "at least one task")
    check_function("valid", valid, "an answer")
    ended: dict[int, Branch[Any]] = {}
    won: list[Branch[Any]] = []
    began = perf_counter()

    async def on_end(branch: Branch[Any]) -> bool:
        ended[branch.index] = checked = await _validate(branch, valid)
        # Several tasks may end before the cancellation reaches them; the first one stays the winner.
        if checked.status is BranchStatus.OK and not won:
            won.append(checked)
        return bool(won)

    with fan_out_span("race") as fan_span:
        for branch in await task_group.run(tasks, on_end, fan_span, concurrency=len(tasks)):
            ended[branch.index] = branch
        if not won:
            errors = [branch.error for _, branch in sorted(ended.items()) if branch.error is not None]
            raise NoAnswerError(f"none of {len(tasks)} tasks gave a valid answer", errors)
    all_branches = tuple(ended.get(i) or Branch(index=i, status=BranchStatus.CANCELLED) for i in range(len(tasks)))
    duration_ms = (perf_counter() - began) * 1e3
    return Race(value=won[0].value, winner=won[0].index, branches=all_branches, duration_ms=duration_ms)


async def _validate(branch: Branch[Any], valid: Valid | None) -> Branch[Any]:
    """Return the branch, or a failed branch if its answer is not valid or ``valid`` raises."""
    if branch.status is not BranchStatus.OK:
        return branch
    try:
        passed = (valid or _is_not_empty)(branch.value)
        if inspect.isawaitable(passed):
            passed = await passed
        error: Exception | None = None if passed else InvalidAnswerError(branch.value)
    except Exception as raised:
        error = raised
    if error is None:
        return branch
    return Branch(
        index=branch.index, status=BranchStatus.FAILED, error=error, duration_ms=branch.duration_ms, usage=branch.usage
    )


def _is_not_empty(answer: object) -> bool:
    text = answer if isinstance(answer, str) else text_of(answer)
    if text is not None:
        return bool(text.strip())
    return answer is not None and answer not in ({}, [])
