"""The first valid answer wins."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Generic, TypeVar, overload

from l0.telemetry.branches import Fan
from l0.values.policy import PolicyError

from . import branches
from .costs import Cost
from .reading import text_of
from .results import Branch, Status
from .tasks import Asking, Reading, Task, check

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
Valid = Callable[[Any], bool | Awaitable[bool]]


class InvalidAnswerError(ValueError):
    """An answer that came, and did not pass. ``answer``: what it was."""

    def __init__(self, answer: object) -> None:
        super().__init__("the answer is not valid")
        self.answer = answer


class NoAnswerError(ExceptionGroup[Exception]):
    """No task gave a valid answer. ``exceptions``: why, in the tasks' order."""

    def derive(self, excs: Sequence[Any], /) -> Any:
        """Parts of it are of its kind, for ``except*``."""
        return NoAnswerError(self.message, excs)


@dataclass(frozen=True, slots=True, kw_only=True)
class Race(Generic[T_co]):
    """How a race went. ``winner``: the index of the task whose ``value`` it is; ``duration``: milliseconds.

    ``branches``: all tasks in their order, with what each has cost; the losers' share is in ``cost`` too.
    """

    value: T_co
    winner: int
    branches: tuple[Branch[T_co], ...]
    duration: float

    @property
    def cost(self) -> Cost:
        """Of all tasks together."""
        return sum((branch.cost for branch in self.branches), Cost())


@overload
async def race(work: Sequence[Reading], *, valid: Valid | None = None) -> Race[str]: ...
@overload
async def race(work: Sequence[Asking[T]], *, valid: Valid | None = None) -> Race[T]: ...
@overload
async def race(work: Sequence[Task], *, valid: Valid | None = None) -> Race[Any]: ...
async def race(work: Sequence[Task], *, valid: Valid | None = None) -> Race[Any]:
    """Run all tasks at once, and take the first valid answer; the others are cancelled, and their connections closed.

    ``valid``: a function of the answer, async or not; by default whatever is not empty is valid. A task that raises is
    out of the race. Raises `NoAnswerError` (an `ExceptionGroup`) where nobody is left, and `PolicyError` for no tasks.
    """
    for task in work:
        check("race", task)
    if not work:
        raise PolicyError("race", work, "at least one task")
    ended: dict[int, Branch[Any]] = {}
    won: list[Branch[Any]] = []
    began = perf_counter()

    async def told(branch: Branch[Any]) -> bool:
        ended[branch.index] = judged = await _judged(branch, valid)
        if judged.status is Status.OK and not won:
            won.append(judged)
        return bool(won)

    with Fan("race") as fan:
        for branch in await branches.run(work, told, fan, at_once=len(work)):
            ended[branch.index] = branch
        if not won:
            errors = [branch.error for _, branch in sorted(ended.items()) if branch.error is not None]
            raise NoAnswerError(f"none of {len(work)} tasks gave a valid answer", errors)
    everyone = tuple(ended.get(i) or Branch(index=i, status=Status.CANCELLED) for i in range(len(work)))
    took = (perf_counter() - began) * 1e3
    return Race(value=won[0].value, winner=won[0].index, branches=everyone, duration=took)


async def _judged(branch: Branch[Any], valid: Valid | None) -> Branch[Any]:
    """An answer that is not valid is no better than none."""
    if branch.status is not Status.OK:
        return branch
    try:
        passed = (valid or _says_something)(branch.value)
        if inspect.isawaitable(passed):
            passed = await passed
        error: Exception | None = None if passed else InvalidAnswerError(branch.value)
    except Exception as flaw:
        error = flaw
    if error is None:
        return branch
    return Branch(index=branch.index, status=Status.FAILED, error=error, duration=branch.duration, cost=branch.cost)


def _says_something(answer: object) -> bool:
    text = answer if isinstance(answer, str) else text_of(answer)
    if text is not None:
        return bool(text.strip())
    return answer is not None and answer not in ({}, [])
