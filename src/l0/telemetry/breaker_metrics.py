"""Export the states of circuit breakers as an observable gauge, which reads them at each collection, not per call."""

from __future__ import annotations

from collections.abc import Iterable, MutableSet
from typing import Protocol

from opentelemetry.metrics import CallbackOptions, Meter, MeterProvider, Observation

from l0.model.call import Call

from . import listeners, names, sanitizer

LEVELS = {"closed": 0, "half_open": 1, "open": 2}
"""The value of the gauge for each state."""


class ReadableBreaker(Protocol):
    """A circuit breaker. ``state`` is a key of `LEVELS`."""

    @property
    def state(self) -> str: ...


class BreakerTable(Protocol):
    """The circuit breakers of this process, by provider and model."""

    @property
    def meters(self) -> MutableSet[object]:
        """The meters that already have the instrument. A second one would report every state twice."""
        ...

    def items(self) -> Iterable[tuple[tuple[str, str], ReadableBreaker]]:
        """Return every breaker with its provider and model."""
        ...


class BreakerObserver:
    """Creates the gauge at the first call for which a meter is available. It needs no events of calls."""

    __slots__ = ("_breakers", "_ensure_gauge")

    def __init__(self, breakers: BreakerTable, meter_provider: MeterProvider | None = None) -> None:
        self._breakers = breakers
        self._ensure_gauge = listeners.meter(meter_provider, self._instrument)

    def observe(self, call: Call) -> None:  # noqa: ARG002 - the state is in the breakers
        """Create the gauge if a meter is available and has none. Return None: this observer needs no events."""
        self._ensure_gauge()

    def _instrument(self, meter: Meter) -> bool:
        """Create the gauge unless the meter has it. Return True, which `listeners.meter` keeps: this meter is done."""
        if meter not in self._breakers.meters:
            self._breakers.meters.add(meter)
            state = names.BREAKER_STATE
            meter.create_observable_gauge(state.name, [self._states], state.unit, state.description)
        return True

    def _states(self, _: CallbackOptions) -> Iterable[Observation]:
        for (provider, model), breaker in self._breakers.items():
            attributes = sanitizer.encodable({names.PROVIDER: provider, names.REQUEST_MODEL: model})
            yield Observation(LEVELS[breaker.state], attributes)
