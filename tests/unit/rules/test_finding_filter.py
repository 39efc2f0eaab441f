"""Which of several findings of the same defect is reported."""

from __future__ import annotations

from itertools import permutations

import pytest

from l0.model.rule import Severity, Violation
from l0.rules.drift.drift_rule import Drift
from l0.rules.families import Family
from l0.rules.finding_filter import FindingFilter, same_defect
from l0.rules.guardrails.catalogue import Guardrails
from l0.rules.structured.schema_rule import schema_rule

RULES = (
    Guardrails.zero_output_rule(),
    Guardrails.json_rule(),
    Guardrails.strict_json_rule(),
    Guardrails.pattern_rule(),
    Guardrails.repetition_rule(),
    schema_rule({"type": "object"}),
    Drift(),
)


def finding(
    rule: str,
    *families: Family,
    severity: Severity = Severity.ERROR,
    passage: tuple[int, int | None] = (10, 20),
) -> Violation:
    return Violation(
        rule=rule, message="m", severity=severity, at=passage[0], families=frozenset(families), passage=passage
    )


def new_filter() -> FindingFilter[str]:
    return FindingFilter(RULES)


@pytest.mark.parametrize("order", list(permutations(("json", "strict_json", "schema"))))
def test_most_specific_rule_of_one_check_wins(order: tuple[str, ...]) -> None:
    found = [finding(rule, Family.JSON) for rule in order]
    assert [each.rule for each in new_filter().admit("", found)] == ["schema"]


def test_empty_answer_is_reported_by_zero_output() -> None:
    found = [finding("schema", Family.JSON, Family.EMPTY), finding("zero_output", Family.EMPTY)]
    assert [each.rule for each in new_filter().admit("", found)] == ["zero_output"]


def test_severity_beats_specificity() -> None:
    found = [finding("schema", Family.JSON), finding("json", Family.JSON, severity=Severity.FATAL)]
    assert [each.rule for each in new_filter().admit("", found)] == ["json"]


def test_first_finding_wins_over_a_later_one_of_the_same_severity() -> None:
    findings = new_filter()
    assert findings.admit("", [finding("drift.hedging", Family.HEDGING)])
    assert not findings.admit("", [finding("pattern", Family.HEDGING)])


def test_more_severe_finding_is_reported_after_a_weaker_one() -> None:
    findings = new_filter()
    findings.admit("", [finding("json", Family.JSON)])
    assert findings.admit("", [finding("strict_json", Family.JSON, severity=Severity.FATAL)])


def test_warning_waits_for_a_more_severe_rule_and_is_dropped_if_it_finds_the_defect() -> None:
    findings = new_filter()
    warning = finding("drift.repetition", Family.LOOP, severity=Severity.WARNING, passage=(10, None))
    assert not findings.admit("drift", [warning])
    assert findings.admit("", [finding("repetition", Family.LOOP, passage=(90, None))])
    assert findings.release() == []


def test_warning_that_waited_in_vain_is_released_with_its_source() -> None:
    findings = new_filter()
    warning = finding("drift.repetition", Family.LOOP, severity=Severity.WARNING, passage=(10, None))
    findings.admit("drift", [warning])
    assert findings.release() == [("drift", warning)]
    assert findings.release() == []


def test_warning_does_not_wait_if_no_rule_can_surpass_it() -> None:
    warning = finding("drift.hedging", Family.HEDGING, severity=Severity.WARNING)
    assert new_filter().admit("", [warning]) == [warning]


@pytest.mark.parametrize(
    ("passage", "same"), [((0, 10), False), ((0, 11), True), ((19, None), True), ((20, 30), False)]
)
def test_only_overlapping_passages_are_the_same_defect(passage: tuple[int, int | None], same: bool) -> None:
    pair = [finding("a", Family.LATEX), finding("b", Family.LATEX, passage=passage)]
    assert same_defect(*pair) is same
    assert len(new_filter().admit("", pair)) == (1 if same else 2)


def test_other_families_and_rules_of_the_user_are_not_the_same_defect() -> None:
    found = [finding("a", Family.LOOP), finding("b", Family.HEDGING), finding("mine"), finding("mine")]
    assert new_filter().admit("", found) == found
