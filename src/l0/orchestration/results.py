"""What became of several tasks: of each one, and of all together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Generic, TypeVar, overload

from .costs import Cost

T_co = TypeVar("T_co", covariant=True)


class Status(StrEnum):
    """How a task ended."""

    OK = "ok"
    FAILED = "failed"
    CANCELLED = "cancelled"
    """Its answer was not needed any more, or it was never begun for that reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch(Generic[T_co]):
    """One task. ``index``: its place among the tasks. ``duration``: milliseconds that it took, cancelled ones too.

    ``value``: its answer, if ``status`` is ok. ``error``: why there is none, if it failed. ``cost``: what it asked of
    providers.
    """

    index: int
    status: Status
    value: T_co | None = None
    error: Exception | None = None
    duration: float = 0.0
    cost: Cost = field(default_factory=Cost)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats:
    """All tasks together. ``success_rate``: percent of those that were begun; ``total_duration``: milliseconds from
    the first to the end of the last."""

    count: int
    succeeded: int
    failed: int
    success_rate: float
    total_duration: float
    cost: Cost


class Results(Sequence[Branch[T_co]]):
    """The tasks in their order, and their `stats`."""

    __slots__ = ("_branches", "stats")

    def __init__(self, branches: Sequence[Branch[T_co]], stats: Stats) -> None:
        self._branches = tuple(branches)
        self.stats = stats

    @overload
    def __getitem__(self, index: int) -> Branch[T_co]: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Branch[T_co], ...]: ...
    def __getitem__(self, index: int | slice) -> Branch[T_co] | tuple[Branch[T_co], ...]:
        return self._branches[index]

    def __len__(self) -> int:
        return len(self._branches)

    def __iter__(self) -> Iterator[Branch[T_co]]:
        return iter(self._branches)

    def __repr__(self) -> str:
        return f"Results({self.stats.succeeded} of {self.stats.count} tasks succeeded)"

    @property
    def values(self) -> list[T_co]:
        """Every task's answer, in their order. Raises an `ExceptionGroup` where one has none."""
        if errors := self.errors:
            raise ExceptionGroup(f"{len(errors)} of {len(self)} tasks failed", errors)
        if len(succeeded := self.succeeded) < self.stats.count:
            raise ValueError(f"{self.stats.count - len(succeeded)} of {self.stats.count} tasks' answers were not kept")
        return succeeded

    def merge(self, separator: str = "\n\n") -> str:
        """All answers as one text. Raises as `values` does."""
        return separator.join(str(value) for value in self.values)

    @property
    def succeeded(self) -> list[T_co]:
        """The answers that there are, in the tasks' order."""
        return [branch.value for branch in self._branches if branch.status is Status.OK]  # type: ignore[misc]

    @property
    def errors(self) -> list[Exception]:
        """Why the others have none, in the tasks' order."""
        return [branch.error for branch in self._branches if branch.error is not None]


class Tally:
    """Counts what ends: all that is kept where the results themselves are not."""

    __slots__ = ("cost", "failed", "succeeded")

    def __init__(self) -> None:
        self.succeeded = self.failed = 0
        self.cost = Cost()

    def add(self, branch: Branch[object]) -> None:
        """One more task is over."""
        self.succeeded += branch.status is Status.OK
        self.failed += branch.status is Status.FAILED
        self.cost += branch.cost

    def stats(self, duration: float) -> Stats:
        """``duration``: milliseconds that all took together."""
        count = self.succeeded + self.failed
        rate = 100.0 * self.succeeded / count if count else 100.0
        return Stats(
            count=count,
            succeeded=self.succeeded,
            failed=self.failed,
            success_rate=rate,
            total_duration=duration,
            cost=self.cost,
        )
