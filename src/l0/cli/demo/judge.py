"""What a user got, compared with the right answer; and the sums over many calls. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from math import ceil

from .plan import Planned


class Verdict(StrEnum):
    """How a call ended for whoever made it."""

    WHOLE = "whole"
    """The right answer, no exception."""
    ERROR = "error"
    """An exception of the SDK's (or its typed failure event): honest."""
    SILENT = "silent"
    """Another answer than the right one, handed over as if all were well."""
    FOREIGN = "foreign"
    """An exception that no user of the SDK would catch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What came of one call. Times are in seconds: ``first`` from the call to its first content, ``gaps`` between
    two pieces of content. ``honest``: whether ``error`` is one that the bare SDK may raise."""

    call: Planned
    said: str
    error: BaseException | None
    honest: bool = True
    first: float | None = None
    gaps: tuple[float, ...] = ()


def judge(result: Result) -> Verdict:
    """Compare with the truth. What arrived before an exception is no answer, and is not judged."""
    if result.error is not None:
        return Verdict.ERROR if result.honest else Verdict.FOREIGN
    return Verdict.WHOLE if result.said == result.call.answer.said else Verdict.SILENT


@dataclass(slots=True)
class Tally:
    """Sums over calls. ``wrong``: those that were neither whole nor an honest error, as evidence."""

    verdicts: Counter[Verdict] = field(default_factory=Counter)
    firsts: list[float] = field(default_factory=list)
    gaps: list[float] = field(default_factory=list)
    wrong: list[Result] = field(default_factory=list)

    def add(self, result: Result) -> None:
        verdict = judge(result)
        self.verdicts[verdict] += 1
        if result.first is not None:
            self.firsts.append(result.first)
        self.gaps.extend(result.gaps)
        if verdict in (Verdict.SILENT, Verdict.FOREIGN):
            self.wrong.append(result)

    @property
    def calls(self) -> int:
        """Calls so far."""
        return self.verdicts.total()

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            verdicts=self.verdicts + other.verdicts,
            firsts=self.firsts + other.firsts,
            gaps=self.gaps + other.gaps,
            wrong=self.wrong + other.wrong,
        )


def percentile(values: Sequence[float], share: float) -> float | None:
    """The smallest value that at least that share of all values does not exceed; None of none."""
    if not values:
        return None
    return sorted(values)[max(ceil(share * len(values)) - 1, 0)]


def differs(expected: str, got: str) -> str:
    """How a wrong answer is wrong, in a word."""
    if not got:
        return "empty"
    if expected.startswith(got):
        return "truncated"
    return "doubled" if len(got) > len(expected) else "altered"
