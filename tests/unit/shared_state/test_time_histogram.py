"""Durations in buckets of 10 %, in constant memory."""

from math import inf, nan

import pytest

from l0.shared_state.time_histogram import BOUNDS, TimeHistogram, quantile


@pytest.mark.parametrize("share", [0.5, 0.95, 0.99])
def test_quantiles_are_accurate_to_ten_percent(share: float) -> None:
    times = TimeHistogram()
    for number in range(1, 1001):
        times.add(number / 1000)
    exact = share
    assert exact <= (times.quantile(share) or 0.0) <= exact * 1.1


def test_longest_duration_is_exact() -> None:
    times = TimeHistogram()
    times.add(0.37)
    assert times.quantile(0.5) == times.quantile(0.99) == 0.37


def test_no_duration_has_no_quantile() -> None:
    assert TimeHistogram().quantile(0.5) is None


def test_repeated_duration_counts_as_often() -> None:
    times = TimeHistogram()
    times.add(0.01, 99)
    times.add(5.0)
    assert times.number == 100
    assert (times.quantile(0.99) or inf) < 0.012
    assert times.quantile(1.0) == 5.0


@pytest.mark.parametrize("seconds", [-1.0, inf, nan])
def test_impossible_duration_is_ignored(seconds: float) -> None:
    times = TimeHistogram()
    times.add(seconds)
    assert times.number == 0


def test_duration_beyond_the_last_bound_is_kept() -> None:
    times = TimeHistogram()
    times.add(BOUNDS[-1] * 2)
    assert times.quantile(0.5) == BOUNDS[-1] * 2


def test_memory_is_constant() -> None:
    times = TimeHistogram()
    for number in range(5000):
        times.add(number * 0.37)
    assert len(times._counts) <= len(BOUNDS) + 1


def test_quantile_of_no_buckets_is_zero() -> None:
    assert quantile((), 0.0) == 0.0
