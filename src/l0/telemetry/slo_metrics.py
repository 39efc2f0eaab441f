"""Export objectives as metrics: a counter of events, and gauges of error budgets and burn rates.

The instruments are observable: collection reads the SLO windows, so a call costs nothing beyond updating them.
"""

from __future__ import annotations

from collections.abc import Iterable, MutableSet
from typing import Protocol

from opentelemetry.metrics import CallbackOptions, Meter, MeterProvider, Observation

from l0.model.call import AttributeValue, Call
from l0.model.ports import CallObserver
from l0.slo.burn import WINDOWS, Count, duration
from l0.slo.status_report import Report, SloStatus

from . import listeners, names, sanitizer

Attributes = dict[str, AttributeValue]


class SloTotal(Protocol):
    """The event counts of one objective at one provider and model, since the process began."""

    @property
    def slo(self) -> str: ...
    @property
    def layer(self) -> str: ...
    @property
    def provider(self) -> str: ...
    @property
    def model(self) -> str: ...
    @property
    def count(self) -> Count: ...


class SloReadings(Protocol):
    """The objectives of this process."""

    @property
    def wanted(self) -> bool:
        """True if objectives are tracked even without a meter."""
        ...

    @property
    def meters(self) -> MutableSet[object]:
        """The meters that already have the instruments. A second set would report every value twice."""
        ...

    def observe(self, call: Call) -> CallObserver:
        """Return the observer of one call."""
        ...

    def tallies(self) -> Iterable[SloTotal]:
        """Yield the totals since the process began."""
        ...

    def report(self) -> Report:
        """Return the current status of every objective."""
        ...


class SloObserver:
    """Observes calls if a meter is available, or if objectives are tracked without one (``slos.wanted``)."""

    __slots__ = ("_listening", "_slos")

    def __init__(self, slos: SloReadings, meter_provider: MeterProvider | None = None) -> None:
        self._slos = slos
        self._listening = listeners.meter(meter_provider, self._instrument)

    def observe(self, call: Call) -> CallObserver | None:
        """Return the call's observer; ``None`` if nothing would read what it records."""
        if (self._listening() is None or listeners.suppressed()) and not self._slos.wanted:
            return None
        return self._slos.observe(call)

    def _instrument(self, meter: Meter) -> bool:
        if meter not in self._slos.meters:
            self._slos.meters.add(meter)
            callbacks = SloInstruments(self._slos)
            events, budget, burn = names.SLO_EVENTS, names.SLO_BUDGET, names.SLO_BURN_RATE
            meter.create_observable_counter(events.name, [callbacks.events], events.unit, events.description)
            meter.create_observable_gauge(budget.name, [callbacks.budgets], budget.unit, budget.description)
            meter.create_observable_gauge(burn.name, [callbacks.burn_rates], burn.unit, burn.description)
        return True


class SloInstruments:
    """The callbacks of the observable instruments. They skip values for which there is too little data."""

    __slots__ = ("_slos",)

    def __init__(self, slos: SloReadings) -> None:
        self._slos = slos

    def events(self, _: CallbackOptions) -> Iterable[Observation]:
        """Yield counts of good and bad events. Both start at 0, so that the first failure shows as an increase."""
        for tally in self._slos.tallies():
            attributes = _attributes(tally.slo, tally.layer, tally.provider, tally.model)
            good = tally.count.total - tally.count.bad
            yield Observation(good, {**attributes, names.SLO_GOOD: True})
            yield Observation(tally.count.bad, {**attributes, names.SLO_GOOD: False})

    def budgets(self, _: CallbackOptions) -> Iterable[Observation]:
        """Yield the share of each error budget that is left, over the objective's own window."""
        for status in self._slos.report().statuses:
            if (left := status.budget_left) is not None:
                yield Observation(left, _window_attributes(status, status.objective.window))

    def burn_rates(self, _: CallbackOptions) -> Iterable[Observation]:
        """Yield the burn rate over every alerting window."""
        for status in self._slos.report().statuses:
            for seconds in WINDOWS:
                if (rate := status.burn(seconds)) is not None:
                    yield Observation(rate, _window_attributes(status, seconds))


def _window_attributes(status: SloStatus, seconds: int) -> Attributes:
    objective = status.objective
    attributes = _attributes(objective.name, objective.layer, status.provider, status.model)
    return {**attributes, names.SLO_WINDOW: duration(seconds)}


def _attributes(slo: str, layer: str, provider: str, model: str) -> Attributes:
    attributes = {names.SLO: slo, names.SLO_LAYER: layer, names.PROVIDER: provider, names.REQUEST_MODEL: model}
    return dict(sanitizer.encodable(attributes))
