"""How a consensus ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from l0.orchestration.costs import Cost
from l0.orchestration.results import Branch, Status

from .voting import Decision

Reached = Literal["agreed", "voted", "merged", "best"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsensusResult:
    """The answer, and how it came about.

    ``status``: ``"agreed"``, or by which resolution (or strategy) ``value`` was chosen without agreement.
    ``agreement``: share of all tasks (by weight) whose answers support it, 0 to 1; at least so much, where the decision
    did not need all. ``supporters``: their indices. ``fields``: the decision on each field of a structure.
    ``branches``: all tasks in their order; ``duration``: milliseconds.
    """

    value: Any
    status: Reached
    agreement: float
    supporters: tuple[int, ...]
    branches: tuple[Branch[Any], ...]
    duration: float
    fields: Mapping[str, Decision] = field(default_factory=dict)

    @property
    def early(self) -> bool:
        """It was decided before all had answered."""
        return any(branch.status is Status.CANCELLED for branch in self.branches)

    @property
    def cost(self) -> Cost:
        """Of all tasks together."""
        return sum((branch.cost for branch in self.branches), Cost())


class ConsensusError(Exception):
    """No agreement, and no resolution for it. The errors of tasks that failed are its cause, as an `ExceptionGroup`.

    ``agreement``: the best there was, 0 to 1. ``branches``: all tasks.
    """

    def __init__(self, message: str, *, agreement: float, branches: Sequence[Branch[Any]]) -> None:
        super().__init__(message)
        self.agreement = agreement
        self.branches = tuple(branches)
        errors = [branch.error for branch in branches if branch.error is not None]
        if errors:
            self.__cause__ = ExceptionGroup(f"{len(errors)} of {len(branches)} tasks failed", errors)

    def __reduce__(self) -> Any:
        return _unpickled, (str(self), self.agreement, self.branches)


def _unpickled(message: str, agreement: float, branches: Sequence[Branch[Any]]) -> ConsensusError:
    return ConsensusError(message, agreement=agreement, branches=branches)
