"""Verdicts of the demo: complete, error, silent or foreign; and their tally."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l0.cli.demo.judge import AnswerVerdict, Result, VerdictCounts, differs, judge, percentile
from l0.cli.demo.plan import KnownAnswer, PlannedCall

CALL = PlannedCall(
    number=3, api="chat", concurrent="threads", answer=KnownAnswer(name="answer x", content="all of it"), faults=()
)


def result(content: str, error: BaseException | None = None, *, catchable: bool = True) -> Result:
    return Result(call=CALL, content=content, error=error, catchable=catchable, first=0.5, gaps=(0.1, 0.2))


@pytest.mark.parametrize("content", ["", "all of", "all of it!", "all of itall of it", "all of IT"])
def test_wrong_content_without_an_exception_is_silent(content: str) -> None:
    assert judge(result(content)) is AnswerVerdict.SILENT


def test_correct_content_is_whole() -> None:
    assert judge(result("all of it")) is AnswerVerdict.WHOLE


@pytest.mark.parametrize("content", ["", "all", "all of it"])
def test_sdk_exception_is_an_error_after_any_content(content: str) -> None:
    assert judge(result(content, RuntimeError())) is AnswerVerdict.ERROR


def test_exception_that_the_sdk_never_raises_is_foreign() -> None:
    assert judge(result("", RuntimeError(), catchable=False)) is AnswerVerdict.FOREIGN


def test_tally_keeps_wrong_results() -> None:
    tally = VerdictCounts()
    ended = [result("all of it"), result("all"), result("", OSError()), result("", OSError(), catchable=False)]
    for one in ended:
        tally.add(one)
    assert tally.calls == 4
    assert tally.verdicts == dict.fromkeys(AnswerVerdict, 1)
    assert tally.wrong == [ended[1], ended[3]]
    assert (len(tally.firsts), len(tally.gaps)) == (4, 8)
    assert (tally + tally).calls == 8


@pytest.mark.parametrize(
    ("got", "word"), [("", "empty"), ("all", "truncated"), ("all of itall", "doubled"), ("all of ot", "altered")]
)
def test_difference_of_a_wrong_answer(got: str, word: str) -> None:
    assert differs("all of it", got) == word


def test_percentile_of_no_values() -> None:
    assert percentile([], 0.5) is None


@given(values=st.lists(st.floats(0, 1e6), min_size=1), share=st.floats(0.01, 1))
def test_percentile_is_the_smallest_value_that_the_share_does_not_exceed(values: list[float], share: float) -> None:
    found = percentile(values, share)
    assert found in values
    assert sum(value <= found for value in values) >= share * len(values)
    assert sum(value < found for value in values) < share * len(values)
