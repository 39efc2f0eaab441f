"""The state of circuit breakers, as a gauge that is read at each collection."""

from types import SimpleNamespace

import pytest
from opentelemetry.metrics import NoOpMeterProvider

from l0.model.ports import Observer
from l0.telemetry.breaker_metrics import LEVELS, BreakerObserver


class Breakers(dict):
    def __init__(self) -> None:
        super().__init__()
        self.meters: set[object] = set()


@pytest.fixture
def breakers():
    made = Breakers()
    made["openai", "gpt-4o"] = SimpleNamespace(state="closed")
    return made


def states(metrics):
    (metric,) = metrics.collect().values()
    assert (metric.name, metric.unit) == ("l0.breaker.state", "1")
    return [(dict(point.attributes), point.value) for point in metric.data.data_points]


@pytest.mark.parametrize(("state", "level"), LEVELS.items())
def test_each_state_is_a_number(metrics, call, breakers, state, level):
    observer: Observer = BreakerObserver(breakers, metrics.provider)
    assert observer.observe(call) is None
    breakers["openai", "gpt-4o"].state = state
    assert states(metrics) == [({"gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o"}, level)]


def test_two_observers_of_one_meter_report_once(metrics, call, breakers):
    for _ in range(2):
        BreakerObserver(breakers, metrics.provider).observe(call)
    assert len(states(metrics)) == 1


def test_nobody_listens(call, breakers):
    BreakerObserver(breakers, NoOpMeterProvider()).observe(call)
    assert breakers.meters == set()
