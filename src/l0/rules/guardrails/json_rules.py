"""Check JSON in an answer, or an answer that must be JSON.

`json_rule` finds JSON in prose and fences, and requires that it is valid and complete. `strict_json_rule` requires that
the answer is one JSON value. Both scan each character once. They report invalid JSON at once, and unterminated JSON at
the end.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

from l0.model.policy import PolicyError
from l0.model.rule import Ending, Severity, Violation

from ..families import Family
from ..structured.json_locator import UNTERMINATED, Flaw, JsonLocator
from ..structured.json_scanner import JsonScanner, ScanStatus

Kind = Literal["object", "array", "scalar"]

_KINDS: dict[str, Kind] = {"{": "object", "[": "array"}
_non_blank = re.compile(r"[^ \t\r\n]").search

_FAMILIES = frozenset({Family.JSON})
_NO_JSON = frozenset({Family.JSON, Family.EMPTY})


def json_rule(*, severity: Severity = Severity.ERROR) -> JsonRule:
    """Return a rule that requires that all JSON in an answer is valid and complete.

    The rule ignores prose and fences around the JSON. An answer without JSON passes. Examples for readers pass as well:
    JSON that follows prose and contains comments, or dots for omitted parts.
    """
    return JsonRule(severity=severity)


def strict_json_rule(
    *, allow: Collection[Kind] = ("object", "array"), severity: Severity = Severity.ERROR
) -> StrictJsonRule:
    """Return a rule that requires one JSON value of an allowed kind: no prose, no fence.

    An answer without text but with a tool call or a refusal passes. Raises `PolicyError` for an unknown kind.
    """
    kinds = get_args(Kind)
    is_list = isinstance(allow, Collection) and not isinstance(allow, str)
    if not is_list or not allow or any(one not in kinds for one in allow):
        raise PolicyError("strict_json_rule.allow", allow, "a list of some of " + ", ".join(kinds))
    return StrictJsonRule(allow=frozenset(allow), severity=severity)


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonRule:
    """The rule made by `json_rule`."""

    severity: Severity = Severity.ERROR
    name: str = "json"
    span: None = None

    specificity: ClassVar[int] = 1

    @property
    def covers(self) -> Mapping[Family, Severity]:
        """Return the severity of each family that the rule can report."""
        return {Family.JSON: self.severity}

    def check(self) -> JsonCheck:
        """Return the check of one answer."""
        return JsonCheck(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class StrictJsonRule:
    """The rule made by `strict_json_rule`."""

    allow: frozenset[Kind] = frozenset(("object", "array"))
    severity: Severity = Severity.ERROR
    name: str = "strict_json"
    span: None = None

    @property
    def expected_kinds_message(self) -> str:
        """Return the message for an answer that is not JSON of an allowed kind."""
        return "the answer is not a JSON " + " or ".join(kind for kind in get_args(Kind) if kind in self.allow)

    specificity: ClassVar[int] = 2

    @property
    def covers(self) -> Mapping[Family, Severity]:
        """Return the severity of each family that the rule can report."""
        return dict.fromkeys(_NO_JSON, self.severity)

    def check(self) -> StrictJsonCheck:
        """Return the check of one answer."""
        return StrictJsonCheck(self)


class JsonCheck:
    """The check of one answer under `json_rule`."""

    __slots__ = ("_locator", "_rule")

    def __init__(self, rule: JsonRule) -> None:
        self._rule = rule
        self._locator = JsonLocator(examples=True)

    def feed(self, text: str) -> Sequence[Violation]:
        """Check new text. Return a violation if its JSON is invalid."""
        flaw = self._locator.feed(text)
        return self._report(flaw) if flaw is not None else ()

    def finish(self, ending: Ending) -> Sequence[Violation]:  # noqa: ARG002 - only text is checked
        """Return a violation if the JSON is unterminated."""
        flaw = self._locator.finish()
        return self._report(flaw) if flaw is not None else ()

    def _report(self, flaw: Flaw) -> Sequence[Violation]:
        return (_violation(self._rule, flaw.reason, flaw.at),)


class StrictJsonCheck:
    """The check of one answer under `strict_json_rule`."""

    __slots__ = ("_done", "_rule", "_scanner")

    def __init__(self, rule: StrictJsonRule) -> None:
        self._rule = rule
        self._scanner = JsonScanner()
        self._done = False

    def feed(self, text: str) -> Sequence[Violation]:
        """Check new text. Return a violation if the text cannot be JSON of an allowed kind any more."""
        scanner = self._scanner
        if self._done:
            return ()
        first = _non_blank(text) if scanner.status is ScanStatus.EMPTY else None
        if first is not None and _KINDS.get(first[0], "scalar") not in self._rule.allow:
            return self._report(self._rule.expected_kinds_message, scanner.at + first.start())
        scanner.feed(text)
        return () if scanner.reason is None else self._report(scanner.reason, scanner.at)

    def finish(self, ending: Ending) -> Sequence[Violation]:
        """Return a violation if the JSON is missing or unterminated."""
        if self._done:
            return ()
        match self._scanner.status:
            case ScanStatus.INSIDE:
                return self._report(UNTERMINATED, self._scanner.at)
            case ScanStatus.EMPTY if not ending.has_other_content:
                return self._report(self._rule.expected_kinds_message, self._scanner.at, _NO_JSON)
            case _:
                return ()

    def _report(self, reason: str, at: int, families: frozenset[Family] = _FAMILIES) -> Sequence[Violation]:
        self._done = True
        return (_violation(self._rule, reason, at, families),)


def _violation(
    rule: JsonRule | StrictJsonRule, reason: str, at: int, families: frozenset[Family] = _FAMILIES
) -> Violation:
    return Violation(
        rule=rule.name, message=reason, severity=rule.severity, at=at, families=families, passage=(0, None)
    )
