"""A schema as a rule: the whole answer is JSON that fits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from l0.values.rules import Check, Ending, Severity, Violation

from .scanner import Scanner, Status
from .schemas import Schema
from .verdicts import Invalid

_EMPTY = "the answer holds no JSON"


def schema_rule(schema: object, *, mend: bool = False, severity: Severity = Severity.ERROR) -> SchemaRule:
    """The answer fits a schema (what `Schema.of` takes). With no text beside a tool call or a refusal it passes.

    ``mend``: one that fits once it is repaired passes as well, for a caller who repairs it too. Otherwise the answer
    counts as it stands, and what can no longer become JSON is told at once.
    """
    return SchemaRule(schema=Schema.of(schema), mend=mend, severity=severity)


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaRule:
    """See `schema_rule`."""

    schema: Schema
    mend: bool = False
    severity: Severity = Severity.ERROR
    name: str = "schema"
    span: None = None

    def check(self) -> Check:
        """A check of one more answer."""
        return MendingCheck(self) if self.mend else StrictCheck(self)


class StrictCheck:
    """One answer, as it stands."""

    __slots__ = ("_parts", "_rule", "_scanner")

    def __init__(self, rule: SchemaRule) -> None:
        self._rule = rule
        self._scanner = Scanner()
        self._parts: list[str] = []

    def feed(self, text: str) -> Sequence[Violation]:
        """New text."""
        scanner = self._scanner
        if scanner.status is Status.BROKEN:
            return ()
        self._parts.append(text)
        scanner.feed(text)
        return () if scanner.why is None else (_violation(self._rule, scanner.why, scanner.at),)

    def finish(self, ending: Ending) -> Sequence[Violation]:
        """The answer is over."""
        match self._scanner.status:
            case Status.BROKEN:
                return ()
            case Status.INSIDE:
                return (_violation(self._rule, "the answer ends inside of its JSON", self._scanner.at),)
            case Status.EMPTY:
                return () if ending.other else (_violation(self._rule, _EMPTY, self._scanner.at),)
        return _judged(self._rule, "".join(self._parts))


class MendingCheck:
    """One answer, as a repair makes it."""

    __slots__ = ("_parts", "_rule")

    def __init__(self, rule: SchemaRule) -> None:
        self._rule = rule
        self._parts: list[str] = []

    def feed(self, text: str) -> Sequence[Violation]:
        """New text: only the whole can be repaired."""
        self._parts.append(text)
        return ()

    def finish(self, ending: Ending) -> Sequence[Violation]:
        """The answer is over."""
        text = "".join(self._parts)
        if not text or text.isspace():
            return () if ending.other else (_violation(self._rule, _EMPTY, len(text)),)
        return _judged(self._rule, text)


def _judged(rule: SchemaRule, text: str) -> Sequence[Violation]:
    verdict = rule.schema.verdict(text, mend=rule.mend)
    if isinstance(verdict, Invalid):
        return (_violation(rule, f"the answer {verdict.flaw}", len(text)),)
    return ()


def _violation(rule: SchemaRule, message: str, at: int) -> Violation:
    return Violation(rule=rule.name, message=message, severity=rule.severity, at=at)
