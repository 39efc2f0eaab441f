"""Report each defect once, even if several rules find it."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import Generic, TypeVar

from l0.model.rule import Rule, Severity, Violation

Origin = TypeVar("Origin")
_RANK = {severity: rank for rank, severity in enumerate(Severity)}


class FindingFilter(Generic[Origin]):
    """The findings of one answer. Two findings are the same defect if they share a family and their passages overlap.

    For each defect one finding is reported. Precedence: higher severity; then the earlier one; within one check, the
    more specific rule. A warning waits for the end of the answer if another rule could
    still report the same defect with a higher severity. Errors never wait. Findings without a family always pass.

    The filter runs only when a rule has found something, so it costs nothing per token. ``rules``: all rules of the
    call.
    """

    __slots__ = ("_waiting", "_reported", "_rules")

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = rules
        self._reported: list[Violation] = []
        self._waiting: list[tuple[Origin, Violation]] = []

    def admit(self, source: Origin, found: Sequence[Violation]) -> list[Violation]:
        """Return the findings of one check that are to be reported now, in their order.

        ``source``: returned by `release` with each finding that waits.
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

    def release(self) -> list[tuple[Origin, Violation]]:
        """Return the findings that waited and that no other finding has replaced, each with its source."""
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return []
        first = {id(violation): source for source, violation in reversed(waiting)}
        released: list[tuple[Origin, Violation]] = []
        for violation in self._in_precedence([violation for _, violation in waiting]):
            if not self._is_known(violation):
                self._reported.append(violation)
                released.append((first[id(violation)], violation))
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
        own, rank = _rule_name(violation), _RANK[violation.severity]
        return any(
            _RANK[severity] > rank and family in violation.families
            for rule in self._rules
            if rule.name != own
            for family, severity in getattr(rule, "covers", {}).items()
        )


def _rule_name(violation: Violation) -> str:
    """Return the name of the rule: ``drift`` for ``drift.hedging``."""
    return violation.rule.partition(".")[0]


def same_defect(one: Violation, other: Violation) -> bool:
    """Return True if two findings share a family and their passages overlap."""
    if one.families.isdisjoint(other.families):
        return False
    one_start, one_end = _passage(one)
    other_start, other_end = _passage(other)
    return one_start < other_end and other_start < one_end


def _passage(violation: Violation) -> tuple[int, float]:
    start, end = violation.passage or (violation.at, None)
    return start, inf if end is None else max(end, start + 1)
