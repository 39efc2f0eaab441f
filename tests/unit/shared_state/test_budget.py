"""The retry budget: a token bucket that bounds what retries, hedges and resumes cost."""

import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from l0.shared_state.budget import CAPACITY, FLOOR, Budget, RetryBudgets


def spent(budget: Budget, most: int = 1000) -> int:
    """Return the number of tokens that can be spent at once."""
    return next((times for times in range(most) if not budget.spend()), most)


def test_a_full_bucket_pays_for_five_and_then_for_nothing():
    budget = Budget()
    assert budget.level == CAPACITY
    assert spent(budget) == 5
    assert budget.level == FLOOR
    assert not budget.spend()
    assert budget.level == FLOOR


def test_ten_successes_pay_for_one_more_at_the_floor():
    budget = Budget()
    spent(budget)
    budget.succeed()  # 5.1: above the floor, so the next one passes
    assert budget.spend()
    assert budget.level == pytest.approx(4.1)
    for _ in range(9):
        budget.succeed()
    assert budget.level == FLOOR  # not 4.999...: tenths are counted exactly
    assert not budget.spend()
    budget.succeed()
    assert budget.spend()


def test_it_never_holds_more_than_its_capacity():
    budget = Budget()
    for _ in range(100):
        budget.succeed()
    assert budget.level == CAPACITY


@given(st.lists(st.booleans(), max_size=300))
@settings(max_examples=100)
def test_nothing_is_spent_at_or_below_the_floor_and_a_refusal_takes_nothing(succeeds):
    budget = Budget()
    paid = refunds = 0
    for success in succeeds:
        before = budget.level
        if success:
            budget.succeed()
            refunds += 1
            assert budget.level == pytest.approx(min(CAPACITY, before + 0.1))
        else:
            allowed = budget.spend()
            paid += allowed
            assert allowed == (before > FLOOR)
            assert budget.level == pytest.approx(before - allowed)
        assert FLOOR - 1 < budget.level <= CAPACITY
    assert paid <= CAPACITY - FLOOR + 1 + 0.1 * refunds  # the share of traffic that the whole is about


def test_threads_together_spend_no_more_than_one_could():
    budget = Budget()
    start = threading.Barrier(8)
    paid = []

    def storm():
        start.wait()
        paid.append(sum(budget.spend() for _ in range(200)))

    threads = [threading.Thread(target=storm) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(paid) == 5


def test_each_provider_and_model_has_its_own_bucket():
    budgets = RetryBudgets()
    spent(budgets["openai", "gpt-4o"])
    assert budgets["openai", "gpt-4o"].level == FLOOR
    assert budgets["openai", "gpt-4o-mini"].level == CAPACITY
    assert budgets["anthropic", "gpt-4o"].level == CAPACITY
