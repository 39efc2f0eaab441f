"""When the rules of a call look at its text, and what they took."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from l0.model.failure import Cause
from l0.model.policy import CheckIntervals, Policy
from l0.model.ports import Reader
from l0.model.rule import Rule
from l0.rules.guardrails.catalogue import Guardrails
from l0.runtime.requested_schema import NOTHING
from l0.runtime.rule_runner import RuleRunner


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


def test_the_next_look_is_due_when_the_first_of_the_intervals_is_over() -> None:
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


def test_what_is_not_due_is_looked_at_when_all_is_wanted() -> None:
    watched = rule_runner(Guardrails.pattern_rule("bad"))
    reader = reader_of("b", "ad")
    assert watched.evaluate(reader) is None
    failure = watched.evaluate(reader, rest=True) or watched.finish(reader)
    assert failure is not None
    assert failure.code == "pattern"


@pytest.mark.parametrize("pieces", [1, 2, 4])
def test_a_look_is_always_due_where_characters_are_counted(pieces: int) -> None:
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


def test_nothing_is_timed_where_nobody_listens() -> None:
    watched = rule_runner(Guardrails.zero_output_rule())
    watched.finish(reader_of("a"))
    assert watched.times == {}


@pytest.mark.parametrize("complete_answer", [True, False], ids=["whole", "streamed"])
def test_drift_is_told_beside_a_guardrail_that_failed(complete_answer: bool) -> None:
    told: list[Any] = []
    policy = Policy(check_intervals=CheckIntervals(guardrails=1, drift=1), on_violation=told.append)
    bad, worse = Guardrails.pattern_rule("bad", severity="error"), Guardrails.pattern_rule("ad", severity="error")
    made = RuleRunner(policy, (bad,), (worse,), None, NOTHING)
    failure = (
        made.complete_answer("a bad one", (), other=False) if complete_answer else made.evaluate(reader_of("a bad one"))
    )
    assert [violation.at for violation in told] == [2, 3]
    assert failure is not None
    assert (failure.cause, made.cut) == (Cause.GUARDRAIL_VIOLATION, 2)


def test_rules_look_at_a_whole_answer_once_it_is_over() -> None:
    watched = rule_runner(Guardrails.pattern_rule("bad"), observed=True)
    assert watched.complete_answer("a good one", (), other=False) is None
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
