"""The budget of a fleet while Redis is away: all processes together spend about what one bucket allows."""

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l0.shared_state.budget import CAPACITY, FLOOR, Budget
from l0.shared_state.fleet.fleet_budget import FleetBudget, share

TARGET = ("openai", "gpt-4o")
LEVEL = 1000


def away(members: int) -> Any:
    """Return a fleet whose Redis does not answer."""
    return SimpleNamespace(away=True, members=members, add=lambda _: None, request=lambda *_: None)


def copies(members: int, level: float = CAPACITY) -> list[FleetBudget]:
    """Return the copies of all processes, which Redis had told this level before."""
    found = [FleetBudget(away(members), TARGET) for _ in range(members)]
    for copy in found:
        answer(copy, level)
    return found


def answer(
    copy: FleetBudget, level: float, *, operation: str = "", granted: bool = False, cancelled: bool = False
) -> Any:
    """Let Redis answer."""
    request: Any = SimpleNamespace(operation=operation, cancelled=cancelled, granted=None)
    copy.arguments(operation)
    copy.apply(request, (int(granted), round(level * LEVEL)))
    return request


@given(st.integers(1, 40), st.lists(st.tuples(st.integers(0, 39), st.booleans()), max_size=300))
def test_processes_without_redis_spend_as_much_as_one_bucket_and_one_each(
    members: int, events: list[tuple[int, bool]]
) -> None:
    found, spent, successes = copies(members), 0, 0
    for number, succeeds in events:
        copy = found[number % members]
        if succeeds:
            copy.succeed()
            successes += 1
        else:
            spent += copy.spend()
    assert spent <= CAPACITY - FLOOR + members + 0.1 * successes


@given(st.integers(0, 10**6), st.integers(1, 1000))
def test_shares_of_all_members_are_no_more_than_the_whole(tokens: int, members: int) -> None:
    assert share(tokens, members) * members <= tokens


@given(st.lists(st.booleans(), max_size=100))
def test_the_only_member_follows_the_rules_of_a_process(events: list[bool]) -> None:
    (copy,), alone = copies(1), Budget()
    for succeeds in events:
        if succeeds:
            copy.succeed()
            alone.succeed()
        else:
            assert copy.spend() == alone.spend()
        assert copy.level == alone.level


def test_empty_bucket_of_the_fleet_refuses_without_asking() -> None:
    (copy,) = copies(1, level=FLOOR)
    copy._fleet.request = pytest.fail  # type: ignore[method-assign, assignment]
    assert not copy.spend()


def test_changes_are_told_once() -> None:
    (copy,) = copies(1, level=7)
    copy.succeed()
    assert copy.changed
    assert copy.arguments("")[1] == 100
    copy.succeed()  # after the changes were sent
    request: Any = SimpleNamespace(operation="", cancelled=False, granted=None)
    copy.apply(request, (0, 7100))
    assert copy.level == pytest.approx(7.2)
    assert copy.arguments("")[1] == 100
    answer(copy, 7.2)
    assert not copy.changed


def test_token_that_redis_gave_too_late_is_not_paid_twice() -> None:
    (copy,) = copies(1)
    assert copy.spend()  # alone, since no answer came
    answer(copy, CAPACITY - 1, operation="take", granted=True, cancelled=True)
    assert copy.level == CAPACITY - 1
    assert not copy.changed
