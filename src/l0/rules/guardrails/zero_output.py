"""Report an answer without output: no visible character and no tool call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from l0.model.rule import Ending, Severity, Violation

from ..families import Family

_INVISIBLE = " \t\n\r\v\f\u0085\u00a0\u00ad\u1680\u180e\u2028\u2029\u202f\u205f\u3000\ufeff" + "".join(
    map(chr, (*range(0x2000, 0x2010), *range(0x2060, 0x2065)))
)
"""White space, and characters of zero width."""
_FAMILIES = frozenset({Family.EMPTY})


@dataclass(frozen=True, slots=True, kw_only=True)
class ZeroOutputRule:
    """A rule that requires visible text, or other output."""

    severity: Severity = Severity.ERROR
    name: str = "zero_output"
    span: int | None = 0  # text is never held back for this rule: while it is violated, no text is visible

    specificity: ClassVar[int] = 4

    @property
    def covers(self) -> Mapping[Family, Severity]:
        """Return the severity of each family that the rule can report."""
        return {Family.EMPTY: self.severity}

    def check(self) -> ZeroOutputCheck:
        """Return the check of one answer."""
        return ZeroOutputCheck(self)


class ZeroOutputCheck:
    """The check of one answer: it remembers whether any character was visible."""

    __slots__ = ("_rule", "_has_output")

    def __init__(self, rule: ZeroOutputRule) -> None:
        self._rule = rule
        self._has_output = False

    def feed(self, text: str) -> Sequence[Violation]:
        """Return nothing: only the end decides."""
        if not self._has_output and text.strip(_INVISIBLE):
            self._has_output = True
        return ()

    def finish(self, ending: Ending) -> Sequence[Violation]:
        """Return a violation if the answer has no visible text and no other output."""
        if self._has_output or ending.has_other_content:
            return ()
        rule = self._rule
        return (
            Violation(
                rule=rule.name,
                message="the answer is empty",
                severity=rule.severity,
                at=0,
                families=_FAMILIES,
                passage=(0, None),
            ),
        )
