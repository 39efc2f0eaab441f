"""Circuit breakers as a metric, read when it is collected: a call costs nothing here."""

from __future__ import annotations

from collections.abc import Iterable, MutableSet
from typing import Protocol

from opentelemetry.metrics import CallbackOptions, Meter, MeterProvider, Observation

from l0.model.call import Call

from . import listeners, names, sanitizer

LEVELS = {"closed": 0, "half_open": 1, "open": 2}


class BreakerReading(Protocol):
    """One of them. ``state``: as in `LEVELS`."""

    @property
    def state(self) -> str: ...


class BreakerReadings(Protocol):
    """Those of this process, by provider and model."""

    @property
    def meters(self) -> MutableSet[object]:
        """The meters that have the instrument already: a second one would tell everything twice."""
        ...

    def items(self) -> Iterable[tuple[tuple[str, str], BreakerReading]]:
        """All that there are."""
        ...


class BreakerObserver:
    """Makes the instrument as soon as a meter listens; watches no call."""

    __slots__ = ("_breakers", "_listening")

    def __init__(self, breakers: BreakerReadings, meter_provider: MeterProvider | None = None) -> None:
        self._breakers = breakers
        self._listening = listeners.meter(meter_provider, self._instrument)

    def observe(self, call: Call) -> None:  # noqa: ARG002 - the breakers themselves know
        """Nothing of one call is of interest."""
        self._listening()

    def _instrument(self, meter: Meter) -> bool:
        if meter not in self._breakers.meters:
            self._breakers.meters.add(meter)
            state = names.BREAKER_STATE
            meter.create_observable_gauge(state.name, [self._states], state.unit, state.description)
        return True

    def _states(self, _: CallbackOptions) -> Iterable[Observation]:
        for (provider, model), breaker in self._breakers.items():
            of = sanitizer.encodable({names.PROVIDER: provider, names.REQUEST_MODEL: model})
            yield Observation(LEVELS[breaker.state], of)
