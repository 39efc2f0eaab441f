"""JSON: whole where an answer holds it, or the whole of an answer.

`json_rule` looks for JSON among prose and fences, and asks that what began as JSON is broken nowhere and ends.
`strict_json_rule` asks that the answer is one JSON value. Both scan each character once; what is surely broken is told
at once, what is unterminated at the end.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from l0.structured.finding import UNTERMINATED, Finder, Flaw
from l0.structured.scanner import Scanner, Status
from l0.values.policy import PolicyError
from l0.values.rules import Ending, Severity, Violation

Kind = Literal["object", "array", "scalar"]

_KINDS: dict[str, Kind] = {"{": "object", "[": "array"}
_solid = re.compile(r"[^ \t\r\n]").search


def json_rule(*, severity: Severity = Severity.ERROR) -> JsonRule:
    """JSON that an answer holds is whole. Prose and fences around it change nothing; an answer without JSON passes.

    So does an example in a text: JSON after prose that has a comment in it, or dots for what is left out.
    """
    return JsonRule(severity=severity)


def strict_json_rule(
    *, allow: Collection[Kind] = ("object", "array"), severity: Severity = Severity.ERROR
) -> StrictJsonRule:
    """The answer is one JSON value of an allowed kind, and nothing else: no prose, no fence.

    An answer that holds no text beside a tool call or a refusal passes.
    """
    return StrictJsonRule(allow=frozenset(allow), severity=severity)


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonRule:
    """See `json_rule`."""

    severity: Severity = Severity.ERROR
    name: str = "json"
    span: None = None

    def check(self) -> JsonCheck:
        """A check of one more answer."""
        return JsonCheck(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class StrictJsonRule:
    """See `strict_json_rule`."""

    allow: frozenset[Kind] = frozenset(("object", "array"))
    severity: Severity = Severity.ERROR
    name: str = "strict_json"
    span: None = None

    def __post_init__(self) -> None:
        kinds = get_args(Kind)
        if not self.allow or not self.allow <= set(kinds):
            raise PolicyError("strict_json_rule.allow", sorted(self.allow), "some of " + ", ".join(kinds))

    @property
    def demand(self) -> str:
        """What the answer is not, where it is no JSON of an allowed kind."""
        return "the answer is not a JSON " + " or ".join(kind for kind in get_args(Kind) if kind in self.allow)

    def check(self) -> StrictJsonCheck:
        """A check of one more answer."""
        return StrictJsonCheck(self)


class JsonCheck:
    """One answer under `json_rule`."""

    __slots__ = ("_finder", "_rule")

    def __init__(self, rule: JsonRule) -> None:
        self._rule = rule
        self._finder = Finder(examples=True)

    def feed(self, text: str) -> Sequence[Violation]:
        """New text."""
        flaw = self._finder.feed(text)
        return self._said(flaw) if flaw is not None else ()

    def finish(self, ending: Ending) -> Sequence[Violation]:  # noqa: ARG002  # what else an answer holds is no JSON of its
        """The answer is over."""
        flaw = self._finder.finish()
        return self._said(flaw) if flaw is not None else ()

    def _said(self, flaw: Flaw) -> Sequence[Violation]:
        return (_violation(self._rule, flaw.why, flaw.at),)


class StrictJsonCheck:
    """One answer under `strict_json_rule`."""

    __slots__ = ("_done", "_rule", "_scanner")

    def __init__(self, rule: StrictJsonRule) -> None:
        self._rule = rule
        self._scanner = Scanner()
        self._done = False

    def feed(self, text: str) -> Sequence[Violation]:
        """New text."""
        scanner = self._scanner
        if self._done:
            return ()
        first = _solid(text) if scanner.status is Status.EMPTY else None
        if first is not None and _KINDS.get(first[0], "scalar") not in self._rule.allow:
            return self._says(self._rule.demand, scanner.at + first.start())
        scanner.feed(text)
        return () if scanner.why is None else self._says(scanner.why, scanner.at)

    def finish(self, ending: Ending) -> Sequence[Violation]:
        """The answer is over."""
        if self._done:
            return ()
        match self._scanner.status:
            case Status.INSIDE:
                return self._says(UNTERMINATED, self._scanner.at)
            case Status.EMPTY if not ending.other:
                return self._says(self._rule.demand, self._scanner.at)
            case _:
                return ()

    def _says(self, why: str, at: int) -> Sequence[Violation]:
        self._done = True
        return (_violation(self._rule, why, at),)


def _violation(rule: JsonRule | StrictJsonRule, why: str, at: int) -> Violation:
    return Violation(rule=rule.name, message=why, severity=rule.severity, at=at)
