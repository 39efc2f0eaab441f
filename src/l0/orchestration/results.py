"""Results of several tasks: one branch per task, and statistics of all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Generic, TypeVar, overload

from l0.migration import ResultsAliases
from l0.model.former_names import former_name

from .stream_reading import text_of
from .task_usage import Usage

T_co = TypeVar("T_co", covariant=True)


class BranchStatus(StrEnum):
    """The way a task ended."""

    OK = "ok"
    FAILED = "failed"
    CANCELLED = "cancelled"
    """The answer was no longer needed: the task was cancelled or never started."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch(Generic[T_co]):
    """The result of one task. ``index``: position among the tasks, from 0. ``duration_ms``: milliseconds, also if
    cancelled.

    ``status``: ``"ok"``, ``"failed"`` or ``"cancelled"``. ``value``: the answer of a task that is ok. ``error``: the
    exception of a task that failed. ``usage``: calls, requests and tokens of the task.
    """

    index: int
    status: BranchStatus
    value: T_co | None = None
    error: Exception | None = None
    duration_ms: float = 0.0
    usage: Usage = field(default_factory=Usage)
    duration = former_name("duration", "duration_ms")
    cost = former_name("cost", "usage")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats:
    """Statistics of all tasks.

    ``success_rate``: percent (0 to 100) of the tasks that were not cancelled. ``total_duration_ms``: milliseconds from
    the start of the first task to the end of the last.
    """

    count: int
    succeeded: int
    failed: int
    success_rate: float
    total_duration_ms: float
    usage: Usage
    cost = former_name("cost", "usage")

    @property
    def total_duration(self) -> float:
        """`total_duration_ms` by its name in L0 for Python."""
        return self.total_duration_ms


class Results(ResultsAliases, Sequence[Branch[T_co]]):
    """The branches of all tasks, in order, and their `stats`."""

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
        """Return the answers of all tasks, in order.

        Raises an `ExceptionGroup` if a task failed, and `ValueError` if answers were not kept (``keep=False``).
        """
        if errors := self.errors:
            raise ExceptionGroup(f"{len(errors)} of {len(self)} tasks failed", errors)
        if len(succeeded := self.succeeded) < self.stats.count:
            raise ValueError(f"{self.stats.count - len(succeeded)} of {self.stats.count} tasks' answers were not kept")
        return succeeded

    def merge(self, separator: str = "\n\n") -> str:
        """Join all answers into one text. Raises the same errors as `values`."""
        texts = ((value, text_of(value)) for value in self.values)
        return separator.join(str(value) if text is None else text for value, text in texts)

    @property
    def succeeded(self) -> list[T_co]:
        """Return the answers of the tasks that succeeded, in order."""
        return [branch.value for branch in self._branches if branch.status is BranchStatus.OK]  # type: ignore[misc]

    @property
    def errors(self) -> list[Exception]:
        """Return the errors of the tasks that failed, in order."""
        return [branch.error for branch in self._branches if branch.error is not None]


class ResultCounts:
    """Counts tasks that have ended. With ``keep=False``, these counts are all that is kept."""

    __slots__ = ("usage", "failed", "succeeded")

    def __init__(self) -> None:
        self.succeeded = self.failed = 0
        self.usage = Usage()

    def add(self, branch: Branch[object]) -> None:
        """Count one more task that has ended."""
        self.succeeded += branch.status is BranchStatus.OK
        self.failed += branch.status is BranchStatus.FAILED
        self.usage += branch.usage

    def stats(self, duration_ms: float) -> Stats:
        """Return the statistics. ``duration_ms``: milliseconds of the whole run."""
        count = self.succeeded + self.failed
        rate = 100.0 * self.succeeded / count if count else 100.0
        return Stats(
            count=count,
            succeeded=self.succeeded,
            failed=self.failed,
            success_rate=rate,
            total_duration_ms=duration_ms,
            usage=self.usage,
        )
