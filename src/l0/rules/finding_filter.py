"""Report each defect once, even if several rules find it."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import Generic, TypeVar

from l0.model.rule import Rule, Severity, Violation

Source = TypeVar("Source")
_RANK = {severity: rank for rank, severity in enumerate(Severity)}


class FindingFilter(Generic[Source]):
    """Filters the findings of one answer.

    Two findings are the same defect if they share a family and their passages overlap. Per defect, one finding is
    reported: the one with the highest severity; among equals the earliest; within one check, that of the most specific
    rule. A warning waits for the end of the answer if another rule could still report the same defect with a higher
    severity. Errors never wait. Findings without a family always pass.

    The filter runs only when a rule has found something, so it costs nothing per token. ``rules``: all rules of the
    call.
    """

    __slots__ = ("_waiting", "_reported", "_rules")

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = rules
        self._reported: list[Violation] = []
        self._waiting: list[tuple[Source, Violation]] = []

    def admit(self, source: Source, found: Sequence[Violation]) -> list[Violation]:
        """Return those findings of one check that are to be reported now, in their order.

        ``source``: a value of the caller; `release` returns it with each finding that waits.
        """
        passed: set[int] = set()
        for violation in self._in_precedence(found):
            if not violation.families:
                passed.add(id(violation))
            elif self._is_known(violation):
                continue
            elif violation.severity is Severity.WARNING and self._can_be_surpassed(violation):
                self._waiting.append((source, violation))
            else:
                self._reported.append(violation)
                passed.add(id(violation))
        return [violation for violation in found if id(violation) in passed]

    def release(self) -> list[tuple[Source, Violation]]:
        """Return the findings that waited and that no other finding has replaced, each with its source."""
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return []
        sources = {id(violation): source for source, violation in reversed(waiting)}  # the first source of each
        released: list[tuple[Source, Violation]] = []
        for violation in self._in_precedence([violation for _, violation in waiting]):
            if not self._is_known(violation):
                self._reported.append(violation)
                released.append((sources[id(violation)], violation))
        return released

    def _in_precedence(self, found: Sequence[Violation]) -> Sequence[Violation]:
        if len(found) < 2:
            return found
        specificity = {rule.name: getattr(rule, "specificity", 0) for rule in self._rules}
        return sorted(found, key=lambda each: (-_RANK[each.severity], -specificity.get(_rule_name(each), 0)))

    def _is_known(self, violation: Violation) -> bool:
        rank = _RANK[violation.severity]
        return any(_RANK[known.severity] >= rank and same_defect(known, violation) for known in self._reported)

    def _can_be_surpassed(self, violation: Violation) -> bool:
        """Return True if another rule covers a family of this finding with a higher severity."""
        own_rule, rank = _rule_name(violation), _RANK[violation.severity]
        return any(
            _RANK[severity] > rank and family in violation.families
            for rule in self._rules
            if rule.name != own_rule
            for family, severity in getattr(rule, "covers", {}).items()
        )


def _rule_name(violation: Violation) -> str:
    """Return the name of the rule: ``drift`` for ``drift.hedging``."""
    return violation.rule.partition(".")[0]


def same_defect(first: Violation, second: Violation) -> bool:
    """Return True if two findings share a family and their passages overlap."""
    if first.families.isdisjoint(second.families):
        return False
    first_start, first_end = _passage(first)
    second_start, second_end = _passage(second)
    return first_start < second_end and second_start < first_end


def _passage(violation: Violation) -> tuple[int, float]:
    start, end = violation.passage or (violation.at, None)
    return start, inf if end is None else max(end, start + 1)
