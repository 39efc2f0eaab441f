"""Objectives as metrics, on the real SDK."""

from __future__ import annotations

import pytest

from l0.shared_state.slo_tracker import SloTracker
from l0.slo.burn import WINDOWS
from l0.telemetry import names
from l0.telemetry.slo_metrics import SloObserver


@pytest.fixture
def slos() -> SloTracker:
    return SloTracker(lambda: 1_700_000_000.0)


def told(metrics, metric: names.Metric) -> dict[tuple[object, ...], float]:
    """Values by objective and good or bad, or window; nothing else may be an attribute."""
    found = metrics.collect()
    if metric.name not in found:
        return {}
    values = {}
    for point in found[metric.name].data.data_points:
        given = dict(point.attributes)
        assert given.pop(names.PROVIDER) == "openai"
        assert given.pop(names.REQUEST_MODEL) == "gpt-4o"
        assert given.pop(names.SLO_LAYER) in ("attempts", "delivered")
        slo = given.pop(names.SLO)
        (last,) = given.values()
        values[slo, last] = point.value
    return values


def test_slo_event_counters_start_with_good_and_bad(slos, metrics, play, retried):
    play(SloObserver(slos, metrics.provider), retried)
    assert told(metrics, names.SLO_EVENTS) == {
        ("capacity", True): 1,
        ("capacity", False): 1,
        ("availability", True): 1,
        ("availability", False): 0,
        ("first-token", True): 1,
        ("first-token", False): 0,
        ("stall", True): 0,
        ("stall", False): 1,
        ("truncation", True): 1,
        ("truncation", False): 0,
        ("delivered", True): 1,
        ("delivered", False): 0,
        ("masked", True): 0,
        ("masked", False): 1,
    }


def test_the_counter_is_one_that_only_grows(slos, metrics, play, smooth):
    observer = SloObserver(slos, metrics.provider)
    for number in range(1, 4):
        play(observer, smooth)
        assert told(metrics, names.SLO_EVENTS)["delivered", True] == number
    data = metrics.collect()[names.SLO_EVENTS.name].data
    assert data.is_monotonic


def test_budgets_and_burn_rates_need_enough_data(slos, metrics, play, smooth, retried):
    observer = SloObserver(slos, metrics.provider)
    for _ in range(19):
        play(observer, smooth)
    assert told(metrics, names.SLO_BUDGET) == told(metrics, names.SLO_BURN_RATE) == {}
    play(observer, retried)
    budgets, burns = told(metrics, names.SLO_BUDGET), told(metrics, names.SLO_BURN_RATE)
    assert budgets["delivered", "30d"] == 1.0
    assert budgets["capacity", "30d"] == pytest.approx(1 - 1 / 21 / 0.05)
    assert burns["capacity", "1h"] == pytest.approx(1 / 21 / 0.05)
    assert len(burns) == 6 * len(WINDOWS)
    points = metrics.collect()[names.SLO_BUDGET.name].data.data_points
    assert all(names.SLO_WINDOW in point.attributes for point in points)


def test_slo_observer_is_off_without_a_meter(slos, call, monkeypatch):
    observer = SloObserver(slos)
    assert observer.observe(call) is None
    slos.start()
    assert observer.observe(call) is not None
    slos.stop()
    assert observer.observe(call) is None


def test_second_observer_reports_nothing_twice(slos, metrics, play, smooth):
    play(SloObserver(slos, metrics.provider), smooth)
    play(SloObserver(slos, metrics.provider), smooth)
    assert told(metrics, names.SLO_EVENTS)["delivered", True] == 2
    points = metrics.collect()[names.SLO_EVENTS.name].data.data_points
    assert len({tuple(sorted(point.attributes.items())) for point in points}) == len(points)
