"""Make a rule from a schema: the complete answer must be JSON that matches it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from l0.model.rule import Check, Ending, Severity, Violation

from ..families import Family
from .cut_answers import cut_flaw, severity_of_cut
from .json_locator import UNTERMINATED
from .json_scanner import JsonScanner, ScanStatus
from .schema_results import Invalid
from .schemas import Schema

_EMPTY = "the answer contains no JSON"
_NO_TEXT = "the answer has no text that could be JSON, only other content, such as a tool call"
_NOT_JSON = frozenset({Family.JSON})
_NO_JSON = frozenset({Family.JSON, Family.EMPTY})
_MISMATCH = frozenset({Family.SCHEMA})


def schema_rule(
    schema: object,
    *,
    allow_repair: bool = False,
    requires_text: bool = False,
    severity: Severity = Severity.ERROR,
) -> SchemaRule:
    """Return a rule that requires an answer to match a schema (anything that `Schema.of` accepts).

    An answer without text but with a tool call or a refusal passes, unless its length limit cut it. ``requires_text``:
    such an answer fails. ``allow_repair``: an answer that matches after a repair passes as well, for callers that
    repair it too. Otherwise the answer is checked unchanged, and text that cannot become JSON is reported at once. An
    answer that a limit or a filter cut is never closed by a repair; at the length limit, an error becomes fatal,
    because a retry would end there too.

    Raises:
        PolicyError: ``schema`` is not a schema.
        ImportError: pydantic or jsonschema is needed and missing.
    """
    checked = Schema.of(schema)
    return SchemaRule(schema=checked, allow_repair=allow_repair, requires_text=requires_text, severity=severity)


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaRule:
    """The rule made by `schema_rule`."""

    schema: Schema
    allow_repair: bool = False
    requires_text: bool = False
    severity: Severity = Severity.ERROR
    name: str = "schema"
    span: None = None
    """The end of the answer decides whether it passes; text that cannot be JSON fails earlier."""
    judges_result: ClassVar[bool] = True
    """The rule is compatible with every hold mode: it judges the final result, and partial values are known to be
    unchecked."""
    specificity: ClassVar[int] = 3
    """Of equally severe violations for the same defect, that of the most specific rule is reported."""

    @property
    def covers(self) -> Mapping[Family, Severity]:
        """Return the severity of each family that the rule can report. At the length limit, an error becomes fatal."""
        return dict.fromkeys((Family.EMPTY, Family.JSON, Family.SCHEMA), self.severity)

    def check(self) -> Check:
        """Return the check of one answer."""
        return RepairingCheck(self) if self.allow_repair else StrictCheck(self)


class StrictCheck:
    """The check of one unchanged answer."""

    __slots__ = ("_parts", "_rule", "_scanner")

    def __init__(self, rule: SchemaRule) -> None:
        self._rule = rule
        self._scanner = JsonScanner()
        self._parts: list[str] = []

    def feed(self, text: str) -> Sequence[Violation]:
        """Scan new text. Return a violation if it cannot be JSON any more."""
        scanner = self._scanner
        if scanner.status is ScanStatus.BROKEN:
            return ()
        self._parts.append(text)
        scanner.feed(text)
        return () if scanner.reason is None else (_violation(self._rule, scanner.reason, scanner.at),)

    def finish(self, ending: Ending) -> Sequence[Violation]:
        """Return a violation if the answer is incomplete or does not match the schema."""
        match self._scanner.status:
            case ScanStatus.BROKEN:
                return ()
            case ScanStatus.INSIDE:
                found = _cut(self._rule, "".join(self._parts), ending)
                return found or (_violation(self._rule, UNTERMINATED, self._scanner.at),)
            case ScanStatus.EMPTY:
                return _no_json(self._rule, self._scanner.at, ending)
        return _validated(self._rule, "".join(self._parts), ending)


class RepairingCheck:
    """The check of one answer after its repair."""

    __slots__ = ("_parts", "_rule")

    def __init__(self, rule: SchemaRule) -> None:
        self._rule = rule
        self._parts: list[str] = []

    def feed(self, text: str) -> Sequence[Violation]:
        """Collect new text: only a complete answer can be repaired."""
        self._parts.append(text)
        return ()

    def finish(self, ending: Ending) -> Sequence[Violation]:
        """Return a violation if the repaired answer does not match the schema."""
        text = "".join(self._parts)
        if text and not text.isspace():
            return _validated(self._rule, text, ending)
        return _no_json(self._rule, len(text), ending)


def _no_json(rule: SchemaRule, length: int, ending: Ending) -> Sequence[Violation]:
    """Return the violation of an answer whose text is empty or blank. ``length``: of that text."""
    if ending.has_other_content and not ending.at_limit:  # at the limit, the other content may be only reasoning
        return (_violation(rule, _NO_TEXT, length, _NO_JSON),) if rule.requires_text else ()
    return _cut(rule, "", ending) or (_violation(rule, _EMPTY, length, _NO_JSON),)


def _validated(rule: SchemaRule, text: str, ending: Ending) -> Sequence[Violation]:
    if found := _cut(rule, text, ending):
        return found
    result = rule.schema.verdict(text, allow_repair=rule.allow_repair)
    if isinstance(result, Invalid):
        return (_violation(rule, f"the answer {result.flaw}", len(text), _MISMATCH),)
    return ()


def _cut(rule: SchemaRule, text: str, ending: Ending) -> Sequence[Violation]:
    flaw = cut_flaw(text, ending)
    if flaw is None:
        return ()
    found = _violation(rule, f"the answer {flaw}", len(text), _NOT_JSON if text else _NO_JSON)
    return (replace(found, severity=severity_of_cut(rule.severity, ending)),)


def _violation(rule: SchemaRule, message: str, at: int, families: frozenset[Family] = _NOT_JSON) -> Violation:
    # The passage is the whole answer: a schema fails as a whole.
    return Violation(
        rule=rule.name, message=message, severity=rule.severity, at=at, families=families, passage=(0, None)
    )
