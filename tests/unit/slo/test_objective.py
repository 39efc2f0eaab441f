"""Objectives and burn-rate arithmetic."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l0.model.policy import PolicyError
from l0.slo.burn import DAY, HOUR, PAIRS, WINDOWS, Count, budget_left, burn_rate, burning, can_fire, duration
from l0.slo.objective import DEFAULTS, Indicator, Objective, check_distinct

GOOD = {"name": "a", "indicator": "attempts.availability", "target": 0.99}
ANY = Objective(**GOOD)
COUNTS = st.integers(0, 500).flatmap(lambda total: st.builds(Count, st.integers(0, total), st.just(total)))


@pytest.mark.parametrize(
    ("changes", "field", "allowed"),
    [
        ({"name": "A b"}, "name", "lower-case"),
        ({"name": "masked"}, "name", "not 'masked'"),
        ({"indicator": "attempts.nothing"}, "indicator", "delivered.success"),
        ({"target": 99}, "target", "between 0 and 1"),
        ({"target": 1.0}, "target", "between 0 and 1"),
        ({"target": float("nan")}, "target", "between 0 and 1"),
        ({"target": True}, "target", "between 0 and 1"),
        ({"threshold": 3.0}, "threshold", "not an indicator of time"),
        ({"indicator": "attempts.first_token"}, "threshold", "needs it"),
        ({"indicator": "attempts.first_token", "threshold": 0}, "threshold", "above 0"),
        ({"window": 31 * DAY}, "window", "1 to 30"),
        ({"window": DAY + 1}, "window", "whole days"),
        ({"min_events": 0}, "min_events", "1 or more"),
        ({"provider": ""}, "provider", "a name"),
        ({"model": None}, "model", "a name"),
    ],
    ids=str,
)
def test_objective_error_names_the_invalid_field(changes, field, allowed):
    with pytest.raises(PolicyError) as caught:
        Objective(**(GOOD | changes))
    assert caught.value.field == f"Objective.{field}"
    assert allowed in str(caught.value)


def test_default_objectives_cover_all_attempt_indicators():
    kinds = [one.indicator for one in DEFAULTS]
    assert set(kinds) == set(Indicator) - {Indicator.FIRST_CHUNK}
    assert check_distinct(DEFAULTS) == DEFAULTS
    assert all(can_fire(pair, one) for pair in PAIRS for one in DEFAULTS)


def test_objective_names_are_unique():
    with pytest.raises(PolicyError, match="each name once"):
        check_distinct((ANY, ANY))


@pytest.mark.parametrize(
    ("provider", "model", "holds"),
    [("openai", "gpt-4o-mini", True), ("openai", "gpt-5", False), ("anthropic", "gpt-4o", False)],
)
def test_objective_provider_and_model_patterns(provider, model, holds):
    assert Objective(**GOOD, provider="openai", model="gpt-4o*").holds_for(provider, model) is holds
    assert ANY.holds_for(provider, model)


@given(COUNTS)
def test_budget_left_is_one_minus_the_burn_rate(count):
    rate, left = burn_rate(count, ANY), budget_left(count, ANY)
    if count.total == 0:
        assert rate is left is None
        return
    assert rate == pytest.approx(count.bad / count.total * 100)
    if count.total < ANY.min_events:
        assert left is None
    else:
        assert left == pytest.approx(1 - count.bad / (0.01 * count.total))


@given(COUNTS, COUNTS, st.sampled_from(PAIRS))
def test_pair_burns_if_both_windows_exceed_the_factor(long, short, pair):
    above = all(count.total and count.bad / count.total > pair.factor * 0.01 * (1 + 1e-9) for count in (long, short))
    near = any(count.bad == pytest.approx(pair.factor * 0.01 * count.total) for count in (long, short))
    expected = bool(above) and long.total >= 20 and long.bad >= 2
    assert near or burning(long, short, pair, ANY) is expected


def test_budget_without_events_is_insufficient_data():
    assert budget_left(Count(), ANY) is None
    assert budget_left(Count(0, 19), ANY) is None
    assert budget_left(Count(0, 20), ANY) == 1.0


def test_burn_rate_pairs_are_those_of_the_sre_workbook():
    pairs = [(duration(pair.long), duration(pair.short), pair.factor, pair.severity) for pair in PAIRS]
    assert pairs == [
        ("1h", "5m", 14.4, "page"),
        ("6h", "30m", 6.0, "page"),
        ("1d", "2h", 3.0, "ticket"),
        ("3d", "6h", 1.0, "ticket"),
    ]
    # 2, 5, 10 and 10 percent of a budget of 30 days.
    assert [pair.factor * pair.long / (30 * DAY) for pair in PAIRS] == pytest.approx([0.02, 0.05, 0.1, 0.1])
    assert WINDOWS[0] == 300
    assert HOUR in WINDOWS


def test_alert_of_a_lax_objective_cannot_fire():
    lax = Objective(name="lax", indicator=Indicator.CAPACITY, target=0.9)
    assert [can_fire(pair, lax) for pair in PAIRS] == [False, True, True, True]
