"""State that calls share is bounded, and a forked child starts with empty state."""

import os
import threading
import time
import weakref

import pytest
from makers import collected, held_elsewhere, in_child

from l0.shared_state import forks
from l0.shared_state.breaker import Breakers, BreakerState
from l0.shared_state.budget import CAPACITY, RetryBudgets
from l0.shared_state.keyed import Keyed
from l0.shared_state.quantiles import FirstTokenLatencies
from l0.shared_state.terminal_event_sources import StreamSource, TerminalEventSources


def test_a_value_is_made_once_from_its_key():
    made = []
    keyed = Keyed(lambda key: made.append(key) or object())
    assert keyed["a"] is keyed["a"]
    assert keyed["a"] is not keyed["b"]
    assert made == ["a", "b"]


def test_the_one_not_asked_for_longest_is_forgotten_first():
    keyed = Keyed(lambda key: [key], max_keys=3)
    kept, lost = keyed["a"], keyed["b"]
    for key in ("c", "a", "d"):
        keyed[key].append("used")
    assert len(keyed) == 3
    assert keyed["a"] is kept
    assert keyed["b"] is not lost


def test_names_without_end_take_no_memory_without_end():
    budgets = RetryBudgets(max_keys=10)
    for number in range(500):
        budgets["openai", f"model-{number}"].spend()
    assert len(budgets) == 10


def test_threads_are_given_one_and_the_same():
    keyed = Keyed(lambda _: object())
    start = threading.Barrier(8)
    seen = []

    def ask():
        start.wait()
        seen.extend(keyed["a"] for _ in range(200))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(map(id, seen))) == 1


def test_unused_fork_holders_are_not_kept_alive():
    keyed = RetryBudgets()
    gone = weakref.ref(keyed["openai", "gpt-4o"])
    del keyed
    collected()
    assert gone() is None


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_child_forked_while_every_lock_is_held_can_go_on():
    budgets, breakers, times, terminals = (
        RetryBudgets(),
        Breakers(time.monotonic),
        FirstTokenLatencies(),
        TerminalEventSources(),
    )
    budget, breaker, series = budgets["p", "m"], breakers["p", "m"], times["p", "m", "small"]
    budget.spend()
    one, two = (StreamSource(f"https://{host}.example/v1", "chat", "m") for host in "ab")
    terminals.add(one)

    def child():
        budget.succeed()
        breakers["p", "m"].admit().succeed()
        breaker.admit().fail()
        series.add(1.0)
        times["p", "m", "small"].add(1.0)
        terminals.add(two)
        anew = (budget.level, budgets["p", "m"].level, breaker.state, len(series))
        return anew == (CAPACITY, CAPACITY, BreakerState.CLOSED, 1) and terminals.known(one)

    held = [thing._lock for thing in (budgets, breakers, times, terminals, budget, breaker, breaker._own_window)]
    with held_elsewhere(*held):
        assert in_child(child) == b"yes"
    assert budget.level == CAPACITY - 1  # the parent's own is untouched


def test_renewal_reaches_all_that_is_alive():
    budgets = RetryBudgets()
    budgets["p", "m"].spend()
    held = budgets["p", "m"]
    forks._renew_all()
    assert held.level == CAPACITY
    assert len(budgets) == 0
