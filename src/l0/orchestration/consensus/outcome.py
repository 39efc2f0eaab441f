"""Result and error of a consensus."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from l0.migration import ConsensusResultAliases
from l0.model.former_names import former_name

from ..results import Branch, BranchStatus
from ..task_usage import Usage
from .voting import Decision

Reached = Literal["agreed", "voted", "merged", "best"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsensusResult(ConsensusResultAliases):
    """The result of a consensus.

    ``status``: ``"agreed"``, or the resolution or strategy that chose ``value`` without agreement. ``agreement``: share
    of all tasks (by weight) whose answers support ``value``, 0 to 1; a lower bound if the decision did not need all
    answers. ``supporters``: indices of these tasks. ``fields``: the decision on each field of a structure.
    ``branches``: all tasks, in order. ``duration_ms``: milliseconds.
    """

    value: Any
    status: Reached
    agreement: float
    supporters: tuple[int, ...]
    branches: tuple[Branch[Any], ...]
    duration_ms: float
    fields: Mapping[str, Decision] = field(default_factory=dict)
    duration = former_name("duration", "duration_ms")
    cost = former_name("cost", "usage")

    @property
    def early(self) -> bool:
        """Return True if the result was decided before all tasks had answered."""
        return any(branch.status is BranchStatus.CANCELLED for branch in self.branches)

    @property
    def usage(self) -> Usage:
        """Return the usage of all tasks together."""
        return sum((branch.usage for branch in self.branches), Usage())


class ConsensusError(Exception):
    """No agreement and no resolution. Its cause is an `ExceptionGroup` with the errors of the failed tasks.

    ``agreement``: the highest agreement of an answer, 0 to 1. ``branches``: all tasks, in order.
    """

    def __init__(self, message: str, *, agreement: float, branches: Sequence[Branch[Any]]) -> None:
        super().__init__(message)
        self.agreement = agreement
        self.branches = tuple(branches)
        errors = [branch.error for branch in branches if branch.error is not None]
        if errors:
            self.__cause__ = ExceptionGroup(f"{len(errors)} of {len(branches)} tasks failed", errors)

    def __reduce__(self) -> Any:
        # Exceptions are pickled by their `args` alone, which would lose the keyword arguments.
        return _unpickled, (str(self), self.agreement, self.branches)


def _unpickled(message: str, agreement: float, branches: Sequence[Branch[Any]]) -> ConsensusError:
    return ConsensusError(message, agreement=agreement, branches=branches)
