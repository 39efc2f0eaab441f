"""Compare received answers with the correct ones, and count the verdicts of many calls. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from math import ceil

from .plan import PlannedCall


class AnswerVerdict(StrEnum):
    """The outcome of a call for its caller."""

    WHOLE = "whole"
    """The correct answer, without an exception."""
    ERROR = "error"
    """An exception of the SDK, or its typed failure event."""
    SILENT = "silent"
    """An incorrect answer, delivered without an exception."""
    FOREIGN = "foreign"
    """An exception that the bare SDK never raises, so that its users do not catch it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The result of one call.

    ``content``: text and tool calls received. ``catchable``: true if the bare SDK may raise ``error``. ``first``:
    seconds from the call to its first content. ``gaps``: seconds between two pieces of content.
    """

    call: PlannedCall
    content: str
    error: BaseException | None
    catchable: bool = True
    first: float | None = None
    gaps: tuple[float, ...] = ()


def judge(result: Result) -> AnswerVerdict:
    """Compare a result with the correct answer. Content before an exception is not an answer, and is not compared."""
    if result.error is not None:
        return AnswerVerdict.ERROR if result.catchable else AnswerVerdict.FOREIGN
    return AnswerVerdict.WHOLE if result.content == result.call.answer.content else AnswerVerdict.SILENT


@dataclass(slots=True)
class VerdictCounts:
    """Counts and times of many calls.

    ``firsts``, ``gaps``: as of `Result`. ``wrong``: results that are neither correct nor an error of the SDK.
    """

    verdicts: Counter[AnswerVerdict] = field(default_factory=Counter)
    firsts: list[float] = field(default_factory=list)
    gaps: list[float] = field(default_factory=list)
    wrong: list[Result] = field(default_factory=list)

    def add(self, result: Result) -> None:
        verdict = judge(result)
        self.verdicts[verdict] += 1
        if result.first is not None:
            self.firsts.append(result.first)
        self.gaps.extend(result.gaps)
        if verdict in (AnswerVerdict.SILENT, AnswerVerdict.FOREIGN):
            self.wrong.append(result)

    @property
    def calls(self) -> int:
        """Return the number of calls."""
        return self.verdicts.total()

    def __add__(self, other: VerdictCounts) -> VerdictCounts:
        return VerdictCounts(
            verdicts=self.verdicts + other.verdicts,
            firsts=self.firsts + other.firsts,
            gaps=self.gaps + other.gaps,
            wrong=self.wrong + other.wrong,
        )


def percentile(values: Sequence[float], share: float) -> float | None:
    """Return the smallest value that at least ``share`` (0 to 1) of all values do not exceed, or None for no values."""
    if not values:
        return None
    return sorted(values)[max(ceil(share * len(values)) - 1, 0)]


def differs(expected: str, got: str) -> str:
    """Return one word for how a wrong answer differs from the correct one."""
    if not got:
        return "empty"
    if expected.startswith(got):
        return "truncated"
    return "doubled" if len(got) > len(expected) else "altered"
