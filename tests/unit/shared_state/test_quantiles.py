"""Observed first-content times: exact over the last 200, silent below 20."""

import math
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from l0.shared_state.quantiles import FirstTokenLatencies, Quantiles, prompt_size


def filled(samples, **options) -> Quantiles:
    quantiles = Quantiles(**options)
    for seconds in samples:
        quantiles.add(seconds)
    return quantiles


def test_quantile_needs_twenty_values():
    few = filled([1.0] * 19)
    assert (few.p95, few.p99, few.deadline(30.0), len(few)) == (None, None, None, 19)
    few.add(1.0)
    assert (few.p95, few.p99, few.deadline(30.0)) == (1.0, 1.0, 2.0)


def test_the_quantiles_of_one_to_a_hundred():
    hundred = filled(range(100, 0, -1))
    assert (hundred.quantile(0), hundred.quantile(0.5), hundred.quantile(1)) == (1, 50, 100)
    assert (hundred.p95, hundred.p99) == (95, 99)


def test_what_is_older_than_the_last_200_is_forgotten():
    quantiles = filled([60.0] * 500)
    for _ in range(199):
        quantiles.add(0.5)
    assert quantiles.quantile(1) == 60.0
    quantiles.add(0.5)
    assert quantiles.quantile(1) == 0.5
    assert len(quantiles) == 200


@given(st.lists(st.floats(0, 600), max_size=120), st.floats(0, 1), st.integers(1, 50))
@settings(max_examples=150)
def test_it_is_the_quantile_of_the_last_by_definition(samples, share, last):
    quantiles = filled(samples, last=last, min_count=1)
    recent = sorted(samples[-last:])
    if not recent:
        assert quantiles.quantile(share) is None
        return
    value = quantiles.quantile(share)
    assert value in recent
    not_above = sum(sample <= value for sample in recent) / len(recent)
    below = sum(sample < value for sample in recent) / len(recent)
    assert not_above >= share - 1e-9
    assert below <= share


@pytest.mark.parametrize("nothing", [math.nan, math.inf, -math.inf, -0.001])
def test_invalid_first_token_times_are_ignored(nothing):
    quantiles = filled([1.0] * 20)
    quantiles.add(nothing)
    assert len(quantiles) == 20
    assert quantiles.quantile(1) == 1.0


@pytest.mark.parametrize(
    ("p99", "limit", "expected"),
    [
        (0.1, 30.0, 2.0),  # never so tight that a hiccup is a failure
        (1.0, 30.0, 2.0),
        (3.0, 30.0, 6.0),
        (20.0, 30.0, 30.0),
        (20.0, None, 40.0),
        (3.0, 1.5, 1.5),  # the user's limit wins, also over the 2 s
    ],
)
def test_the_deadline_is_twice_the_p99_between_its_bounds(p99, limit, expected):
    assert filled([p99] * 20).deadline(limit) == pytest.approx(expected)


@given(st.lists(st.floats(0, 600), min_size=20, max_size=60), st.floats(0.001, 600) | st.none())
@settings(max_examples=80)
def test_no_deadline_is_above_the_limit_or_needlessly_short(samples, limit):
    deadline = filled(samples).deadline(limit)
    assert deadline <= (math.inf if limit is None else limit)
    assert deadline >= min(2.0, math.inf if limit is None else limit)


@pytest.mark.parametrize(
    ("characters", "expected"),
    [(0, "small"), (3_999, "small"), (4_000, "medium"), (40_000, "large"), (399_999, "large"), (400_000, "huge")],
)
def test_classes_of_prompts(characters, expected):
    assert prompt_size(characters) == expected


def test_threads_lose_no_sample():
    quantiles = Quantiles(last=100)
    start = threading.Barrier(4)

    def add(offset):
        start.wait()
        for number in range(500):
            quantiles.add((number * 7 + offset) % 13)

    threads = [threading.Thread(target=add, args=(offset,)) for offset in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(quantiles) == 100
    assert quantiles.quantile(1.0) == 12


def test_each_provider_model_and_size_has_its_own_series():
    times = FirstTokenLatencies()
    for _ in range(20):
        times["openai", "gpt-4o", prompt_size(100)].add(0.4)
    assert times["openai", "gpt-4o", "small"].p95 == 0.4
    assert times["openai", "gpt-4o", "huge"].p95 is None
    assert times["anthropic", "gpt-4o", "small"].p95 is None
