"""The answer so far, read by read, without a driver: its text, what the user has of it, and where it can be resumed."""

from collections.abc import Sequence
from typing import Any

import pytest
from driver_fakes import DONE, FRAME, TOOL, FakeCallAdapter, FakePump
from makers import make_call, make_failure, make_machine

from l0.model.policy import Hold, Policy, ResumePoint
from l0.model.resume_state import ResumeState
from l0.runtime.answer_so_far import AnswerSoFar
from l0.runtime.rule_runner import rule_runner_for


def make_answer(
    *reads: list[Any],
    policy: Policy | None = None,
    earlier: str | None = None,
    points: Sequence[ResumePoint] = (),
    cut: int | None = None,
) -> AnswerSoFar:
    """Return an answer after some reads, past the commit point.

    ``earlier``: the text that its attempt resumes. ``points``: where it was resumed. ``cut``: where a rule failed it.
    """
    call = make_call(policy=policy or Policy())
    machine = make_machine(call)
    if earlier is not None:
        machine.resuming, machine.resume_state = True, ResumeState(text=earlier)
        machine.resume_points += points
    rule_runner = rule_runner_for(call, lambda _: None, timed=False)
    if rule_runner is not None:
        rule_runner.cut = cut
    answer = AnswerSoFar(call, FakeCallAdapter(), machine, rule_runner)
    answer.parser, answer.before_commit = FakePump(), False
    for raw in reads:
        answer.fragments_before_read = len(answer.parser.reader.text)
        answer.parser.feed(raw)
    return answer


def test_nothing_has_arrived_before_the_body_is_read():
    answer = AnswerSoFar(make_call(), FakeCallAdapter(), make_machine(), None)
    assert (answer.text, answer.delivered_text, answer.arrived_chars, answer.tool_calls) == ("", "", 0, [])
    assert answer.metadata is None
    assert answer.read_to_end
    assert not answer.accepted


def test_text_before_the_body_of_a_resumed_attempt_is_that_of_the_earlier_ones():
    answer = make_answer(earlier="Once")
    answer.parser = None
    assert (answer.text, answer.delivered_text, answer.arrived_chars) == ("Once", "Once", 4)


def test_metadata_of_an_answer_in_one_piece_is_that_of_the_call_adapter():
    answer = AnswerSoFar(make_call(streaming=False), FakeCallAdapter(), make_machine(), None)
    assert answer.metadata is not None
    assert answer.metadata.model == "fake"


def test_unseen_reads_count_until_the_end_of_the_body():
    answer = make_answer(["a"])
    answer.read_unseen([TOOL, "b"])
    assert answer.accepted
    assert not answer.read_to_end
    answer.read_unseen([DONE])
    assert answer.read_to_end
    assert answer.text == "ab"


def test_observed_text_ends_where_a_rule_failed_it_and_the_user_has_the_rest():
    answer = make_answer(["ab"], ["cd"], policy=Policy(guardrails="minimal"), cut=3)
    assert (answer.text, answer.delivered_text, answer.arrived_chars) == ("abc", "abcd", 4)


@pytest.mark.parametrize(
    ("resume", "earlier", "kept"),
    [("off", None, "ab"), ("splice", "abcdefg", "abcdefg"), ("splice", "a", "ab"), ("restart", "abcdefg", "ab")],
)
def test_dropped_answer_keeps_what_the_user_has(resume, earlier, kept):
    """The last read is not delivered. A restarted answer replaces the earlier text, and a resumed one contains it."""
    answer = make_answer(["a", "b"], ["c"], policy=Policy(resume=resume), earlier=earlier)
    answer.buffer.keep(["c"])
    answer.drop()
    assert (answer.text, answer.delivered_text, answer.arrived_chars) == (kept, kept, 3)
    assert answer.buffer.flush() == []


def test_dropped_answer_before_the_commit_point_keeps_nothing():
    answer = make_answer(["a"], ["b"])
    answer.before_commit = True
    answer.drop()
    assert answer.delivered_text == ""


def test_dropped_answer_with_a_window_keeps_what_the_window_has_moved_past():
    answer = make_answer(["abcd"], ["ef"], policy=Policy(hold=Hold(until="verified", window=1)))
    answer.buffer.released = 3
    answer.drop()
    assert answer.delivered_text == "abc"


def test_next_attempt_starts_with_nothing():
    answer = make_answer(["a"])
    answer.buffer.keep(["a"])
    answer.drop()
    answer.forget_attempt()
    assert answer.parser is None
    assert answer.delivered_text == ""
    assert answer.buffer.flush() == []


@pytest.mark.parametrize(("typed", "holding", "delivered"), [(True, False, True), (True, True, False), (False,) * 3])
def test_delivered_failure_is_a_typed_one_after_the_commit_point(typed, holding, delivered):
    failure = make_failure(typed=typed)
    answer = make_answer(["a", failure])
    answer.before_commit = holding
    assert answer.delivered_failure is (failure if delivered else None)


def test_continuation_is_the_last_resume_point_and_the_text():
    points = [ResumePoint(strategy="exact", at=0, attempt=2), ResumePoint(strategy="splice", at=4, attempt=3)]
    assert make_answer(earlier="Once").continuation is None
    continuation = make_answer(earlier="Once", points=points).continuation
    assert continuation is not None
    assert continuation[0] == "splice"
    assert continuation[1].text == "Once"


@pytest.mark.parametrize("broken", ["off", "no parser", "the SDK's own loop", "not resumable", "no text"])
def test_answer_cannot_be_resumed_without_its_own_events(broken):
    answer = make_answer([] if broken == "no text" else ["a"])
    assert answer.parser is not None
    if broken == "no parser":
        answer.parser = None
    elif broken == "the SDK's own loop":
        answer.parser.resumes = False
    elif broken == "not resumable":
        answer.parser.reader.resumable = False
    assert answer.resume_state("off" if broken == "off" else "splice") is None


def test_answer_is_resumed_from_the_text_that_has_arrived():
    state, early_release = make_answer(["a"], ["b"]).resume_from("splice")
    assert state is not None
    assert state.text == "ab"
    assert early_release is None


@pytest.mark.parametrize(("earlier", "repeats"), [(None, True), ("", True), ("Once", False)])
def test_answer_without_content_is_repeated_although_the_user_has_events_of_it(earlier, repeats):
    answer = make_answer([FRAME], earlier=earlier)
    answer.buffer.early_release = "frames"
    state, early_release = answer.resume_from("off")
    assert (state is not None, early_release) == ((True, "frames") if repeats else (False, None))
