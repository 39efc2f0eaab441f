"""`Inspection`: all checks of one answer run together, isolated from each other, timed only with a timer."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from l0.model.call_events import RuleTimes
from l0.model.rule import Check, Ending, Severity, Violation
from l0.rules.guardrails.catalogue import Guardrails
from l0.rules.guardrails.inspection import Inspection, widest_span


@dataclass(frozen=True, slots=True, kw_only=True)
class Failing:
    """A rule that raises in one method, or returns an invalid result there."""

    where: str
    result: Any = None
    name: str = "failing"
    severity: Severity = Severity.ERROR
    span: int | None = None

    def check(self) -> Check:
        if self.where == "check":
            raise ZeroDivisionError
        return self

    def feed(self, text: str) -> Sequence[Violation]:
        return self._answer("feed")

    def finish(self, ending: Ending) -> Sequence[Violation]:
        return self._answer("finish")

    def _answer(self, method: str) -> Any:
        if self.where == method and self.result is None:
            raise ZeroDivisionError
        return self.result if self.where == method else ()


def test_rules_run_in_order() -> None:
    inspection = Inspection([Guardrails.length_rule(maximum=3), Guardrails.pattern_rule("bad", "no")], 7)
    assert inspection.every == 7
    assert not inspection.feed("ba")
    assert [found.rule for found in inspection.feed("d.")] == ["length", "pattern"]
    assert not inspection.finish(Ending())
    assert inspection.durations == {}


def test_finish_runs_rules() -> None:
    inspection = Inspection(Guardrails.minimal())
    assert [found.rule for found in inspection.finish(Ending())] == ["zero_output"]
    assert not Inspection(Guardrails.minimal()).finish(Ending(has_other_content=True))


def test_check_state_belongs_to_one_answer() -> None:
    rules = (Guardrails.pattern_rule("bad", "no"),)
    one, other = Inspection(rules), Inspection(rules)
    assert not one.feed("ba")
    assert not other.feed("d")
    assert one.feed("d")


@pytest.mark.parametrize("where", ["check", "feed", "finish"])
@pytest.mark.parametrize("timer", [None, lambda: 0.0])
def test_failing_rule_is_disabled_and_logged_once(where: str, timer: Any, caplog: pytest.LogCaptureFixture) -> None:
    rules = (Failing(where=where), Guardrails.pattern_rule("bad", "no"))
    with caplog.at_level(logging.WARNING, logger="l0"):
        inspection = Inspection(rules, timer=timer)
        found = [*inspection.feed("bad"), *inspection.feed("more"), *inspection.finish(Ending())]
    assert [each.rule for each in found] == ["pattern"]
    assert len(caplog.records) == 1
    assert "ailing failed and is skipped" in caplog.text


@pytest.mark.parametrize("result", ["text", [1], True, [None]])
@pytest.mark.parametrize("where", ["feed", "finish"])
def test_results_other_than_violations_are_dropped(
    where: str, result: object, caplog: pytest.LogCaptureFixture
) -> None:
    inspection = Inspection([Failing(where=where, result=result)])
    assert not inspection.feed("x")
    assert not inspection.finish(Ending())
    assert len(caplog.records) == 1


def test_failing_custom_function_does_not_break_the_stream(caplog: pytest.LogCaptureFixture) -> None:
    inspection = Inspection([Guardrails.rule(lambda text: text[999] == "x", name="mine")])
    assert not inspection.feed("short")
    assert not inspection.finish(Ending())
    assert "guardrail mine failed" in caplog.text


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit])
def test_process_exits_are_not_caught(stop: type[BaseException]) -> None:
    def function(text: str) -> bool:
        raise stop

    inspection = Inspection([Guardrails.rule(function)])
    with pytest.raises(stop):
        inspection.finish(Ending())


def test_durations_are_recorded_with_a_timer() -> None:
    now = iter(range(100))
    rules = (Guardrails.zero_output_rule(), Guardrails.length_rule(maximum=9))
    inspection = Inspection(rules, timer=lambda: float(next(now)))
    inspection.feed("one")
    inspection.feed("two")
    inspection.finish(Ending())
    took = RuleTimes(count=3, streaming=2.0, final=1.0)
    assert took.seconds == 3.0
    assert inspection.durations == {"zero_output": took, "length": took}


def test_durations_of_complete_answers_are_final() -> None:
    now = iter(range(100))
    inspection = Inspection((Guardrails.zero_output_rule(),), timer=lambda: float(next(now)))
    inspection.feed("one")
    inspection.count_all_as_final()
    inspection.finish(Ending())
    assert inspection.durations == {"zero_output": RuleTimes(count=2, streaming=0.0, final=2.0)}


def test_durations_of_rules_with_one_name_are_added() -> None:
    now = iter(range(100))
    rule = Guardrails.zero_output_rule()
    inspection = Inspection((rule, rule), timer=lambda: float(next(now)))
    inspection.feed("one")
    assert inspection.durations == {"zero_output": RuleTimes(count=2, streaming=2.0, final=0.0)}


def test_disabled_rule_does_not_run_again() -> None:
    def fails(text: str) -> bool:
        raise ValueError

    now = iter(range(100))
    inspection = Inspection((Guardrails.rule(fails, span=2),), timer=lambda: float(next(now)))
    for _ in range(3):
        inspection.feed("a")
    assert inspection.durations == {"custom": RuleTimes(count=2, streaming=2.0, final=0.0)}


def test_timed_inspection_finds_the_same_violations() -> None:
    text = "As an AI, I say: ```"
    plain, timed = Inspection(Guardrails.strict()), Inspection(Guardrails.strict(), timer=lambda: 0.0)
    assert [*plain.feed(text), *plain.finish(Ending())] == [*timed.feed(text), *timed.finish(Ending())]


def test_widest_span() -> None:
    rules = (Guardrails.length_rule(maximum=3), Guardrails.pattern_rule("12345", "x"), Guardrails.zero_output_rule())
    assert widest_span(rules) == 5
    assert widest_span(Guardrails.json_only()[-1:]) is None
    assert widest_span(()) is None
