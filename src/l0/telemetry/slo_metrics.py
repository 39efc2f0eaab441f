"""Objectives as metrics: one counter of events, and gauges of budgets and burn rates, read when they are collected.

A call costs nothing here but what the windows cost: nothing is recorded, the SDK asks.
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
    """All events of one objective at one provider and model, since the process began."""

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
        """Whether they are to be watched though no meter listens."""
        ...

    @property
    def meters(self) -> MutableSet[object]:
        """The meters that have the instruments already: a second set would tell everything twice."""
        ...

    def observe(self, call: Call) -> CallObserver:
        """One call's watcher."""
        ...

    def tallies(self) -> Iterable[SloTotal]:
        """All events so far."""
        ...

    def report(self) -> Report:
        """How everything stands now."""
        ...


class SloObserver:
    """Watches calls while a meter listens, or ``slos`` are wanted all the same."""

    __slots__ = ("_listening", "_slos")

    def __init__(self, slos: SloReadings, meter_provider: MeterProvider | None = None) -> None:
        self._slos = slos
        self._listening = listeners.meter(meter_provider, self._instrument)

    def observe(self, call: Call) -> CallObserver | None:
        """``None`` where nobody would see what it finds."""
        if (self._listening() is None or listeners.suppressed()) and not self._slos.wanted:
            return None
        return self._slos.observe(call)

    def _instrument(self, meter: Meter) -> bool:
        if meter not in self._slos.meters:
            self._slos.meters.add(meter)
            told = SloInstruments(self._slos)
            events, budget, burn = names.SLO_EVENTS, names.SLO_BUDGET, names.SLO_BURN_RATE
            meter.create_observable_counter(events.name, [told.events], events.unit, events.description)
            meter.create_observable_gauge(budget.name, [told.budgets], budget.unit, budget.description)
            meter.create_observable_gauge(burn.name, [told.burn_rates], burn.unit, burn.description)
        return True


class SloInstruments:
    """What is told at a collection. What there is too little data for is not told."""

    __slots__ = ("_slos",)

    def __init__(self, slos: SloReadings) -> None:
        self._slos = slos

    def events(self, _: CallbackOptions) -> Iterable[Observation]:
        """Good and bad ones, both from the beginning: the first failure is then seen as an increase."""
        for tally in self._slos.tallies():
            attributes = _attributes(tally.slo, tally.layer, tally.provider, tally.model)
            good = tally.count.total - tally.count.bad
            yield Observation(good, {**attributes, names.SLO_GOOD: True})
            yield Observation(tally.count.bad, {**attributes, names.SLO_GOOD: False})

    def budgets(self, _: CallbackOptions) -> Iterable[Observation]:
        """Over each objective's own window."""
        for standing in self._slos.report().standings:
            if (left := standing.budget_left) is not None:
                yield Observation(left, _of(standing, standing.objective.window))

    def burn_rates(self, _: CallbackOptions) -> Iterable[Observation]:
        """Over every window of a pair."""
        for standing in self._slos.report().standings:
            for seconds in WINDOWS:
                if (rate := standing.burn(seconds)) is not None:
                    yield Observation(rate, _of(standing, seconds))


def _of(standing: SloStatus, seconds: int) -> Attributes:
    objective = standing.objective
    attributes = _attributes(objective.name, objective.layer, standing.provider, standing.model)
    return {**attributes, names.SLO_WINDOW: duration(seconds)}


def _attributes(slo: str, layer: str, provider: str, model: str) -> Attributes:
    of = {names.SLO: slo, names.SLO_LAYER: layer, names.PROVIDER: provider, names.REQUEST_MODEL: model}
    return dict(sanitizer.encodable(of))
