"""When the rules of a call look at its text, and what they took."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from l0.drivers.requested import NOTHING
from l0.drivers.screening import Screen
from l0.guardrails.catalogue import Guardrails
from l0.values.failures import Cause
from l0.values.policy import CheckIntervals, Policy
from l0.values.ports import Reader
from l0.values.rules import Rule


@dataclass
class Pieces:
    """As much of a `Reader` as a screen looks at."""

    text: list[str] = field(default_factory=list)
    tools: dict[Any, Any] = field(default_factory=dict)
    content: int = 0
    other: bool = False


def reader_of(*pieces: str) -> Reader:
    return cast(Reader, Pieces(list(pieces)))


def screen(*rules: Rule, heard: bool = False, **policy: Any) -> Screen:
    tell = (lambda _: None) if heard else None
    made = Policy(check_intervals=CheckIntervals(guardrails=3, drift=5), **policy)
    return Screen(made, rules, (Guardrails.length_rule(maximum=99),), tell, NOTHING)


def test_the_next_look_is_due_when_the_first_of_the_intervals_is_over() -> None:
    asked: list[str] = []

    def judge(text: str) -> None:
        asked.append(text)

    watched = screen(Guardrails.rule(judge, span=2))
    reader = reader_of()
    due = []
    for piece in "abcdefghij":
        reader.text.append(piece)
        assert watched.look(reader) is None
        due.append(watched.due)
    assert due == [3, 3, 5, 5, 6, 9, 9, 9, 10, 12]
    assert "".join(asked)[::2] == "abcdefgh"


def test_what_is_not_due_is_looked_at_when_all_is_wanted() -> None:
    watched = screen(Guardrails.pattern_rule("bad"))
    reader = reader_of("b", "ad")
    assert watched.look(reader) is None
    failure = watched.look(reader, rest=True) or watched.finish(reader)
    assert failure is not None
    assert failure.code == "pattern"


@pytest.mark.parametrize("pieces", [1, 2, 4])
def test_a_look_is_always_due_where_characters_are_counted(pieces: int) -> None:
    watched = screen(Guardrails.stall_rule(), hold="verified")
    reader = reader_of(*["ab"] * pieces)
    watched.look(reader)
    assert (watched.due, watched.chars) == (0, 2 * pieces)


def test_times_are_those_of_all_attempts_however_often_they_are_asked_for() -> None:
    watched = screen(Guardrails.zero_output_rule(), heard=True)
    watched.finish(reader_of("a"))
    watched.restart()
    watched.finish(reader_of("b"))
    first = watched.times
    assert first["zero_output"].count == 4
    assert first["zero_output"].seconds == first["zero_output"].streaming + first["zero_output"].final
    assert watched.times == first


def test_nothing_is_timed_where_nobody_listens() -> None:
    watched = screen(Guardrails.zero_output_rule())
    watched.finish(reader_of("a"))
    assert watched.times == {}


@pytest.mark.parametrize("whole", [True, False], ids=["whole", "streamed"])
def test_drift_is_told_beside_a_guardrail_that_failed(whole: bool) -> None:
    told: list[Any] = []
    policy = Policy(check_intervals=CheckIntervals(guardrails=1, drift=1), on_violation=told.append)
    bad, worse = Guardrails.pattern_rule("bad", severity="error"), Guardrails.pattern_rule("ad", severity="error")
    made = Screen(policy, (bad,), (worse,), None, NOTHING)
    failure = made.whole("a bad one", (), other=False) if whole else made.look(reader_of("a bad one"))
    assert [violation.at for violation in told] == [2, 3]
    assert failure is not None
    assert (failure.cause, made.cut) == (Cause.GUARDRAIL_VIOLATION, 2)


def test_rules_look_at_a_whole_answer_once_it_is_over() -> None:
    watched = screen(Guardrails.pattern_rule("bad"), heard=True)
    assert watched.whole("a good one", (), other=False) is None
    took = watched.times["pattern"]
    assert (took.count, took.streaming) == (2, 0.0)
    assert took.final > 0.0


def test_a_rule_that_takes_too_long_is_not_run_again_for_the_call(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("l0.guardrails.patterns.SEARCH_SECONDS", 0.02)
    slow = Guardrails.pattern_rule(re.compile(r"(?:a|aa)+$"), name="slow")
    watched = screen(slow, Guardrails.pattern_rule("bad"))
    with caplog.at_level(logging.WARNING, "l0"):
        for _ in range(3):
            watched.restart()
            reader = reader_of("a" * 80, "!", " and bad")
            assert watched.look(reader, rest=True) is not None
            watched.finish(reader)
    assert [record.getMessage() for record in caplog.records] == [
        "guardrail slow took longer than its budget of 20 ms for one check, and is not run again for this call"
    ]
