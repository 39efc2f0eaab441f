"""An answer that holds nothing: no letter, no sign, no tool call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from l0.values.rules import Ending, Severity, Violation

_UNSEEN = " \t\n\r\v\f\u0085\u00a0\u00ad\u1680\u180e\u2028\u2029\u202f\u205f\u3000\ufeff" + "".join(
    map(chr, (*range(0x2000, 0x2010), *range(0x2060, 0x2065)))
)
"""White space, and characters that have no width."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ZeroOutputRule:
    """The answer must hold something that can be seen, or something besides text."""

    severity: Severity = Severity.ERROR
    name: str = "zero_output"
    span: int | None = 0  # no character breaks it: while it is broken there is nothing that anybody could see

    def check(self) -> ZeroOutputCheck:
        """A check of one more answer."""
        return ZeroOutputCheck(self)


class ZeroOutputCheck:
    """Remembers whether anything was seen."""

    __slots__ = ("_rule", "_seen")

    def __init__(self, rule: ZeroOutputRule) -> None:
        self._rule = rule
        self._seen = False

    def feed(self, text: str) -> Sequence[Violation]:
        """Nothing is decided before the end."""
        if not self._seen and text.strip(_UNSEEN):
            self._seen = True
        return ()

    def finish(self, ending: Ending) -> Sequence[Violation]:
        """Whether anything came."""
        if self._seen or ending.other:
            return ()
        rule = self._rule
        return (Violation(rule=rule.name, message="the answer is empty", severity=rule.severity, at=0),)
