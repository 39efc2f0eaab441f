"""Attempts are drawn among comparable ones, or not at all."""

import pytest
from backtest_kit import answer, cut, refused

from l0.backtest.attempt_pool import FEWEST, AttemptGroup, AttemptPool, Donor, UnknownError, uniform
from l0.backtest.attempt_timeline import AttemptTimeline
from l0.model.failure import Cause

GROUP = AttemptGroup("api.example.com:443", "gpt-4o", "chat", True, None, 1000)


def pool(*timelines: AttemptTimeline) -> AttemptPool:
    return AttemptPool([(GROUP, Donor(number, timeline)) for number, timeline in enumerate(timelines)])


def test_draw_is_determined_by_seed_and_place() -> None:
    numbers = {uniform(seed, call, "retry") for seed in range(20) for call in range(20)}
    assert len(numbers) == 400
    assert all(0 <= number < 1 for number in numbers)
    assert uniform(1, 2, "retry") == uniform(1, 2, "retry")


@pytest.mark.parametrize(
    "change",
    [{"host": "other:443"}, {"model": "x"}, {"dialect": "responses"}, {"streaming": False}, {"hour": 1001}],
)
def test_attempt_of_another_group_is_not_comparable(change: dict[str, object]) -> None:
    made = pool(*[answer(float(n + 1)) for n in range(FEWEST)])
    made.draw(GROUP, 0.5, call=99)
    with pytest.raises(UnknownError, match="too few attempts"):
        made.draw(GROUP._replace(**change), 0.5, call=99)


def test_too_few_attempts_are_unknown() -> None:
    made = pool(*[answer(float(n + 1)) for n in range(FEWEST - 1)])
    with pytest.raises(UnknownError, match=f"{FEWEST - 1} of {FEWEST}"):
        made.draw(GROUP, 0.5, call=99)


def test_own_attempt_is_not_drawn() -> None:
    made = pool(*[answer(float(n + 1)) for n in range(FEWEST)])
    drawn = {made.draw(GROUP, n / 100, call=2).first_content for n in range(100)}
    assert drawn == {1.0, 2.0, 4.0, 5.0}


@pytest.mark.parametrize("cause", [Cause.BAD_REQUEST, Cause.AUTHENTICATION, Cause.NOT_FOUND, Cause.QUOTA])
def test_refusal_of_the_request_itself_is_not_drawn(cause: Cause) -> None:
    """No retry can fix it, so it is not what happens to the retry of another request."""
    requests_fault = refused(cause=cause)
    made = pool(requests_fault, *[answer(float(n + 1)) for n in range(FEWEST)])
    assert all(made.draw(GROUP, n / 100, call=99).failure is None for n in range(100))


def test_rest_of_a_cut_attempt_is_drawn_among_longer_ones() -> None:
    made = pool(*[answer(float(n + 1)) for n in range(12)], cut(9.5))
    drawn = [made.draw(GROUP, n / 100, call=99, quiet_for=6.5) for n in range(100)]
    assert {timeline.first_content_or_end for timeline in drawn} == {7.0, 8.0, 9.0, 9.5, 10.0, 11.0, 12.0}


def test_estimate_is_that_of_kaplan_and_meier() -> None:
    """Half of the attempts are cut at 2 s: of those that are quiet by then, the others show the rest."""
    quick, slow = [answer(1.0)] * 40, [answer(3.0)] * 20 + [cut(2.0)] * 40
    made = pool(*quick, *slow)
    found = []
    for n in range(1000):
        timeline = made.draw(GROUP, (n + 0.5) / 1000, call=9999)
        if timeline.cut_short:
            timeline = made.draw(GROUP, uniform(n), call=9999, quiet_for=timeline.ends_at)
        found.append(timeline.first_content)
    assert found.count(1.0) == pytest.approx(400, abs=1)
    assert found.count(3.0) == pytest.approx(600, abs=1)
