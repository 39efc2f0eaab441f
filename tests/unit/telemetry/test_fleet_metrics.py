"""The state of a process in its fleet, as instruments that are read at each collection."""

from types import SimpleNamespace
from typing import Any

import pytest

from l0.shared_state.fleet.fleet import FleetState
from l0.telemetry.fleet_metrics import LEVELS, FleetObserver


@pytest.fixture
def readings() -> Any:
    fleet = SimpleNamespace(state=FleetState.SHARED, changes=dict.fromkeys(FleetState, 0))
    return SimpleNamespace(fleet=fleet, fleet_meters=set())


def test_every_state_has_a_level() -> None:
    assert list(LEVELS) == list(FleetState)


@pytest.mark.parametrize("state", FleetState)
def test_state_and_changes(metrics: Any, call: Any, readings: Any, state: FleetState) -> None:
    for _ in range(2):  # two observers of one meter report once
        assert FleetObserver(readings, metrics.provider).observe(call) is None
    readings.fleet.state, readings.fleet.changes[state] = state, 3
    found = metrics.collect()
    assert (found["l0.fleet.state"].unit, found["l0.fleet.changes"].unit) == ("1", "{event}")
    (level,) = found["l0.fleet.state"].data.data_points
    assert level.value == LEVELS[state]
    changes = {point.attributes["l0.fleet.state"]: point.value for point in found["l0.fleet.changes"].data.data_points}
    assert changes == {each.value: 3 * (each is state) for each in FleetState}


def test_a_process_without_a_fleet_has_no_instruments(metrics: Any, call: Any, readings: Any) -> None:
    fleet, readings.fleet = readings.fleet, None
    observer = FleetObserver(readings, metrics.provider)
    observer.observe(call)
    assert metrics.collect() == {}
    readings.fleet = fleet
    observer.observe(call)
    readings.fleet = None  # it has left the fleet
    assert metrics.collect() == {}
