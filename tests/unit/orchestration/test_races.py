"""Races: the first valid answer wins."""

import asyncio

import pytest
from orchestration_tasks import Gate, returning, run

from l0.model.policy import PolicyError
from l0.orchestration.races import InvalidAnswerError, NoAnswerError, race
from l0.orchestration.results import BranchStatus


def test_race_cancels_the_losers():
    slow = Gate()
    won = run(race([slow, returning("quick"), slow]))
    assert (won.value, won.winner) == ("quick", 1)
    assert [branch.status for branch in won.branches] == [
        BranchStatus.CANCELLED,
        BranchStatus.OK,
        BranchStatus.CANCELLED,
    ]
    assert slow.cancelled
    assert won.duration_ms >= won.branches[0].duration_ms > 0


@pytest.mark.parametrize("answer", ["", "  \n", None, {}, [], ValueError("broken")])
def test_race_ignores_empty_answers(answer):
    won = run(race([returning(answer), returning("late")]))
    assert (won.value, won.winner) == ("late", 1)
    assert won.branches[0].status is BranchStatus.FAILED


@pytest.mark.parametrize("answer", [0, False, 0.0])
def test_race_accepts_falsy_answers(answer):
    assert run(race([returning(answer)])).value == answer


async def async_valid(answer):
    await asyncio.sleep(0)
    return answer.startswith("good")


@pytest.mark.parametrize("valid", [async_valid, lambda answer: answer.startswith("good")])
def test_race_uses_the_valid_function(valid):
    won = run(race([returning("bad"), returning("good"), returning("good, too")], valid=valid))
    assert won.value == "good"
    error = won.branches[0].error
    assert isinstance(error, InvalidAnswerError)
    assert error.answer == "bad"


def test_race_without_a_winner_raises_all_errors():
    with pytest.raises(NoAnswerError, match="none of 3 tasks") as raised:
        run(race([returning(ConnectionError("gone")), returning(""), returning(TimeoutError())]))
    kinds = [type(error) for error in raised.value.exceptions]
    assert kinds == [ConnectionError, InvalidAnswerError, TimeoutError]
    caught = []
    try:
        raise raised.value
    except* ConnectionError as some:
        caught.append(some)
    except* (ValueError, TimeoutError):
        pass
    assert isinstance(caught[0], NoAnswerError)


def test_race_valid_function_error_fails_the_task():
    def broken(answer):
        raise LookupError("judge")

    with pytest.raises(NoAnswerError) as raised:
        run(race([returning("a")], valid=broken))
    assert raised.group_contains(LookupError)


@pytest.mark.parametrize("tasks", [[], ["text"], [7], [{"model": "m"}], [None]])
def test_race_rejects_invalid_tasks_before_any_task_starts(tasks):
    begun = Gate()
    with pytest.raises(PolicyError, match="race"):
        run(race([begun, *tasks] if tasks else []))
    assert not begun.begun


def test_race_cost_includes_the_losers():
    read = asyncio.Event()

    async def endless():
        yield "four"
        read.set()
        await asyncio.Event().wait()

    async def quick():
        await read.wait()
        yield "won"

    won = run(race([{"stream": endless}, {"stream": quick}]))
    assert won.value == "won"
    assert [(branch.usage.calls, branch.usage.characters) for branch in won.branches] == [(1, 4), (1, 3)]
    assert (won.usage.calls, won.usage.requests, won.usage.characters) == (2, 2, 7)
