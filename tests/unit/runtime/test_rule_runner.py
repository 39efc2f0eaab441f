"""When the rules of a call look at its text, and what they took."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, cast

import pytest
from makers import make_call

from l0.model.call_events import RuleMatched
from l0.model.failure import Category, Cause
from l0.model.policy import CheckIntervals, Policy
from l0.model.ports import Reader
from l0.model.rule import Ending, Rule, Violation
from l0.rules.drift.drift_rule import Drift
from l0.rules.guardrails.catalogue import Guardrails
from l0.runtime.requested_schema import NOTHING
from l0.runtime.rule_runner import RuleRunner, rule_runner_for

SCHEMA = {
    "response_format": {
        "type": "json_schema",
        "json_schema": {"name": "n", "schema": {"type": "object", "properties": {"a": {"type": "integer"}}}},
    }
}


@dataclass
class Pieces:
    """As much of a `Reader` as a screen looks at."""

    text: list[str] = field(default_factory=list)
    tools: dict[Any, Any] = field(default_factory=dict)
    content: int = 0
    other: bool = False


def reader_of(*pieces: str) -> Reader:
    return cast(Reader, Pieces(list(pieces)))


def rule_runner(*rules: Rule, observed: bool = False, **policy: Any) -> RuleRunner:
    tell = (lambda _: None) if observed else None
    made = Policy(check_intervals=CheckIntervals(guardrails=3, drift=5), **policy)
    return RuleRunner(made, rules, (Guardrails.length_rule(maximum=99),), tell, NOTHING)


def test_rule_evaluation_is_due_after_the_shortest_interval() -> None:
    asked: list[str] = []

    def judge(text: str) -> None:
        asked.append(text)

    watched = rule_runner(Guardrails.rule(judge, span=2))
    reader = reader_of()
    due = []
    for piece in "abcdefghij":
        reader.text.append(piece)
        assert watched.evaluate(reader) is None
        due.append(watched.due)
    assert due == [3, 3, 5, 5, 6, 9, 9, 9, 10, 12]
    assert "".join(asked)[::2] == "abcdefgh"


def test_rest_is_evaluated_before_it_is_due() -> None:
    watched = rule_runner(Guardrails.pattern_rule("bad"))
    reader = reader_of("b", "ad")
    assert watched.evaluate(reader) is None
    failure = watched.evaluate(reader, rest=True) or watched.finish(reader)
    assert failure is not None
    assert failure.code == "pattern"


@pytest.mark.parametrize("pieces", [1, 2, 4])
def test_verified_hold_makes_evaluation_always_due(pieces: int) -> None:
    watched = rule_runner(Guardrails.stall_rule(), hold="verified")
    reader = reader_of(*["ab"] * pieces)
    watched.evaluate(reader)
    assert (watched.due, watched.chars) == (0, 2 * pieces)


def test_times_are_those_of_all_attempts_however_often_they_are_asked_for() -> None:
    watched = rule_runner(Guardrails.zero_output_rule(), observed=True)
    watched.finish(reader_of("a"))
    watched.restart()
    watched.finish(reader_of("b"))
    first = watched.times
    assert first["zero_output"].count == 4
    assert first["zero_output"].seconds == first["zero_output"].streaming + first["zero_output"].final
    assert watched.times == first


def test_rules_are_not_timed_without_observers() -> None:
    watched = rule_runner(Guardrails.zero_output_rule())
    watched.finish(reader_of("a"))
    assert watched.times == {}


@pytest.mark.parametrize("complete_answer", [True, False], ids=["whole", "streamed"])
def test_drift_is_reported_beside_a_failed_guardrail(complete_answer: bool) -> None:
    told: list[Any] = []
    policy = Policy(check_intervals=CheckIntervals(guardrails=1, drift=1), on_violation=told.append)
    bad, worse = Guardrails.pattern_rule("bad", severity="error"), Guardrails.pattern_rule("ad", severity="error")
    made = RuleRunner(policy, (bad,), (worse,), None, NOTHING)
    failure = (
        made.complete_answer("a bad one", (), Ending()) if complete_answer else made.evaluate(reader_of("a bad one"))
    )
    assert [violation.at for violation in told] == [2, 3]
    assert failure is not None
    assert (failure.cause, made.cut) == (Cause.GUARDRAIL_VIOLATION, 2)


def test_rules_check_a_complete_answer_at_its_end() -> None:
    watched = rule_runner(Guardrails.pattern_rule("bad"), observed=True)
    assert watched.complete_answer("a good one", (), Ending()) is None
    on_read = watched.times["pattern"]
    assert (on_read.count, on_read.streaming) == (2, 0.0)
    assert on_read.final > 0.0


def test_a_rule_that_takes_too_long_is_not_run_again_for_the_call(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("l0.rules.guardrails.patterns.SEARCH_SECONDS", 0.2)
    slow = Guardrails.pattern_rule(re.compile(r"(?:a|aa)+$"), name="slow")
    watched = rule_runner(slow, Guardrails.pattern_rule("bad"))
    with caplog.at_level(logging.WARNING, "l0"):
        for _ in range(3):
            watched.restart()
            reader = reader_of("a" * 80, "!", " and bad")
            assert watched.evaluate(reader, rest=True) is not None
            watched.finish(reader)
    assert [record.getMessage() for record in caplog.records] == [
        "guardrail slow took longer than its budget of 200 ms for one check, and is not run again for this call"
    ]


_LOOP = "The lamp is on the table and it is not going to move. "


def runner_with_drift(found: list[Violation], events: list[RuleMatched] | None = None) -> RuleRunner:
    """Return a runner in which `drift.repetition`, a warning, waits for `repetition`, an error."""
    policy = Policy(on_violation=found.append, check_intervals=CheckIntervals(guardrails=1, drift=1))
    tell = None if events is None else events.append
    return RuleRunner(policy, (Guardrails.repetition_rule(),), (Drift(),), tell, NOTHING)


def test_warning_is_replaced_by_the_error_that_reports_the_same_loop() -> None:
    found: list[Violation] = []
    runner = runner_with_drift(found)
    reader = reader_of(_LOOP * 3)
    assert runner.evaluate(reader) is None
    assert found == []
    reader.text.append(_LOOP * 6)
    failure = runner.evaluate(reader)
    assert failure is not None
    assert failure.code == "repetition"
    assert [each.rule for each in found] == ["repetition"]


def test_warning_that_waited_is_reported_at_the_end_as_drift() -> None:
    found: list[Violation] = []
    events: list[RuleMatched] = []
    runner = runner_with_drift(found, events)
    reader = reader_of(_LOOP * 3)
    runner.evaluate(reader)
    before = perf_counter()
    assert runner.finish(reader) is None
    assert [each.rule for each in found] == ["drift.repetition"]
    assert [(event.drift, event.action) for event in events] == [(True, "recorded")]
    assert events[0].at <= before


def test_warning_that_waited_is_reported_if_the_attempt_ends_early() -> None:
    found: list[Violation] = []
    runner = runner_with_drift(found)
    runner.evaluate(reader_of(_LOOP * 3))
    runner.restart()
    assert [each.rule for each in found] == ["drift.repetition"]
    runner.report_held()
    assert len(found) == 1


def test_finding_that_is_not_reported_still_fails_the_attempt() -> None:
    found: list[Violation] = []
    policy = Policy(on_violation=found.append)
    rules = (Guardrails.json_rule(), Guardrails.strict_json_rule())
    runner = RuleRunner(policy, rules, (), None, NOTHING)
    broken = reader_of('{"a": 1')
    first, second = runner.finish(broken), runner.finish(broken)
    assert first is not None
    assert first.code == "strict_json"
    assert second is not None
    assert [each.rule for each in found] == ["strict_json"]


@pytest.mark.parametrize(
    ("request_", "policy", "text", "field"),
    [
        ({}, Policy(guardrails=[Guardrails.pattern_rule("bad", severity="error")]), "bad", "Policy.guardrails"),
        ({}, Policy(drift=Drift(severity="error")), "same same " * 200, "Policy.drift"),
        (SCHEMA, Policy(structured=True, guardrails="minimal"), '{"a": "b"}', "Policy.structured"),
        (SCHEMA, Policy(structured=True, guardrails="minimal"), "", "Policy.guardrails"),
    ],
    ids=["guardrail", "drift", "schema", "guardrail beside a schema"],
)
def test_a_failure_names_the_field_that_asked_for_the_rule(
    request_: dict[str, Any], policy: Policy, text: str, field: str
) -> None:
    made = rule_runner_for(make_call(policy=policy, body=request_), lambda _: None, timed=False)
    assert made is not None
    failure = made.complete_answer(text, (), Ending())
    assert failure is not None
    assert failure.policy_field == field


STRICT_TOOL = {
    "tools": [{"type": "function", "function": {"name": "t", "strict": True, "parameters": {"type": "object"}}}]
}
FATAL_RULE = Guardrails.rule(lambda text: "bad" in text, name="fatal", severity="fatal")


@pytest.mark.parametrize(
    ("policy", "body", "calls"),
    [
        (Policy(structured=True, guardrails=FATAL_RULE), STRICT_TOOL, [("t", "[]")]),
        (Policy(guardrails=Guardrails.pattern_rule("bad", severity="error"), drift=Drift(severity="fatal")), {}, []),
        (Policy(guardrails=[Guardrails.pattern_rule("bad", severity="error"), FATAL_RULE]), {}, []),
    ],
    ids=["tool schema", "guardrail", "rule that decides earlier"],
)
def test_fatal_finding_decides_over_an_error(
    policy: Policy, body: dict[str, Any], calls: list[tuple[str, str]]
) -> None:
    made = rule_runner_for(make_call(policy=policy, body=body), lambda _: None, timed=False)
    assert made is not None
    failure = made.complete_answer("bad same " * 200, calls, Ending(has_other_content=bool(calls)))
    assert failure is not None
    assert failure.category is Category.FATAL
