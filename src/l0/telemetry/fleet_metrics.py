"""Export whether this process shares its state with its fleet. Collection reads the state, so calls cost nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, MutableSet
from typing import Protocol

from opentelemetry.metrics import CallbackOptions, Meter, MeterProvider, Observation

from l0.model.call import Call

from . import listeners, names

LEVELS = {"shared": 0, "slow": 1, "away": 2}
"""The value of the gauge for each state; `names.FLEET_STATE` explains the states."""


class FleetReading(Protocol):
    """The fleet of this process. ``state`` is a key of `LEVELS`, and ``changes`` counts the changes to each."""

    @property
    def state(self) -> str: ...
    @property
    def changes(self) -> Mapping[str, int]: ...


class FleetReadings(Protocol):
    """The shared state, which knows the fleet of this process."""

    @property
    def fleet(self) -> FleetReading | None: ...

    @property
    def fleet_meters(self) -> MutableSet[object]:
        """The meters that already have the instruments. A second set would report every value twice."""
        ...


class FleetObserver:
    """Creates the instruments at the first call in a fleet for which a meter is available. It needs no events."""

    __slots__ = ("_ensure_instruments", "_readings")

    def __init__(self, readings: FleetReadings, meter_provider: MeterProvider | None = None) -> None:
        self._readings = readings
        self._ensure_instruments = listeners.meter(meter_provider, self._instrument)

    def observe(self, call: Call) -> None:  # noqa: ARG002 - the state is in the fleet
        """Create the instruments if there is a fleet, and a meter without them. Return None: this needs no events."""
        if self._readings.fleet is not None:
            self._ensure_instruments()

    def _instrument(self, meter: Meter) -> bool:
        if meter not in self._readings.fleet_meters:
            self._readings.fleet_meters.add(meter)
            level, changes = names.FLEET_LEVEL, names.FLEET_CHANGES
            meter.create_observable_gauge(level.name, [self._level], level.unit, level.description)
            meter.create_observable_counter(changes.name, [self._changes], changes.unit, changes.description)
        return True

    def _level(self, _: CallbackOptions) -> Iterable[Observation]:
        fleet = self._readings.fleet
        return [] if fleet is None else [Observation(LEVELS[fleet.state])]

    def _changes(self, _: CallbackOptions) -> Iterable[Observation]:
        fleet = self._readings.fleet
        changes = {} if fleet is None else fleet.changes
        return [Observation(count, {names.FLEET_STATE: str(state)}) for state, count in changes.items()]
