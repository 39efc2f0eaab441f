"""Generate the SLO dashboard for Grafana: budgets and burn rates, separately for attempts and delivered calls.

It is built with grafana-foundation-sdk, which comes with an extra and is therefore imported on first use.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from . import series
from .burn import HOUR, PAIRS, duration
from .objective import MASKED, Objective

UID = "l0-slo"
_BUDGET_STEPS = ((None, "red"), (0.0, "orange"), (0.25, "green"))
_BURN_STEPS = ((None, "green"), (PAIRS[-1].factor, "orange"), (PAIRS[0].factor, "red"))
_BY_PROVIDER = f"{{{{{series.SLO}}}}} {{{{{series.PROVIDER}}}}}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Panel:
    """One panel. ``steps``: lower limit and colour of each range of values. ``width``, ``height``: grid units."""

    title: str
    text: str
    expr: str
    unit: str = "short"
    chart: bool = True
    steps: Sequence[tuple[float | None, str]] = ((None, "green"),)
    width: int = 12
    height: int = 8
    legend: str = _BY_PROVIDER


def dashboard(objectives: Sequence[Objective]) -> str:
    """Return the dashboard as JSON. It uses the series that `rules` records.

    The same objectives always give the same text. Raises `ImportError` if the extra ``slo`` is not installed.
    """
    sdk = _sdk()
    builder = (
        sdk.dashboard.Dashboard("LLM calls: objectives")
        .uid(UID)
        .description("Error budgets and burn rates. Attempts are single requests; delivered calls are what users saw.")
        .tags(["l0", "llm"])
        .time("now-24h", "now")
        .refresh("1m")
        .editable()
        .with_variable(sdk.dashboard.DatasourceVariable("source").label("Prometheus").type("prometheus"))
        .with_variable(_providers(sdk))
    )
    number = 0
    for heading, panels in _rows(objectives):
        number += 1
        builder = builder.with_row(sdk.dashboard.Row(heading).id(number))
        for panel in panels:
            number += 1
            builder = builder.with_panel(_build(sdk, panel, number))
    return json.dumps(builder.build(), cls=sdk.encoder.JSONEncoder, indent=2, sort_keys=True) + "\n"


def queries(objectives: Sequence[Objective]) -> list[str]:
    """Return every query of the dashboard, including its variable."""
    return [panel.expr for _, panels in _rows(objectives) for panel in panels]


def _rows(objectives: Sequence[Objective]) -> Iterator[tuple[str, list[_Panel]]]:
    layers = dict.fromkeys(objective.layer for objective in objectives)
    for layer in sorted(layers, reverse=True):
        yield layer.capitalize(), list(_layer(layer))
    yield "Masked", [_masked()]
    yield "By model", [_by_model()]


def _layer(layer: str) -> Iterator[_Panel]:
    labels = {series.LAYER: layer}
    yield _Panel(
        title="Error budget left",
        text="Over the objective's own window: 1 is unused, 0 is spent. Red is overspent.",
        expr=_select(series.BUDGET, **labels),
        unit="percentunit",
        chart=False,
        steps=_BUDGET_STEPS,
        width=24,
        height=5,
    )
    yield _Panel(
        title="Error budget left, over time",
        text="A falling line is a burn; a steep fall is an incident.",
        expr=_select(series.BUDGET, **labels),
        unit="percentunit",
        width=24,
    )
    yield _Panel(
        title="Burn rate, 1h",
        text=f"1 spends the budget exactly at the end of its window; above {PAIRS[0].factor:g} an alert pages.",
        expr=_select(series.burn(HOUR), **labels),
        steps=_BURN_STEPS,
    )
    for pair in PAIRS[1:]:
        yield _Panel(
            title=f"Burn rate, {duration(pair.long)}",
            text=f"Longer windows show slow burns that short windows miss. An alert ({pair.severity}) needs a rate "
            f"above {pair.factor:g}.",
            expr=_select(series.burn(pair.long), **labels),
            steps=_BURN_STEPS,
        )


def _masked() -> _Panel:
    labels = {series.SLO: MASKED}
    bad, total = (_select(name(HOUR), **labels) for name in (series.errors, series.events))
    return _Panel(
        title="Delivered calls that recovery saved, last hour",
        text="Calls that users would have seen fail without retries, fallbacks and resumed answers.",
        expr=f"{bad} / {total}",
        unit="percentunit",
        legend=f"{{{{{series.PROVIDER}}}}}",
        width=24,
    )


def _by_model() -> _Panel:
    by = f"{series.SLO}, {series.PROVIDER}, {series.MODEL}"
    total = f"sum by ({by}) (increase({_select(series.EVENTS)}[1h]))"
    bad = f"sum by ({by}) (increase({_select(series.EVENTS, **{series.GOOD: 'false'})}[1h]))"
    return _Panel(
        title="Share of bad events by model, last hour",
        text="From the raw counters: shows which model of a provider burns the budget.",
        expr=f"({bad} or 0 * {total}) / {total}",
        unit="percentunit",
        legend=f"{_BY_PROVIDER} {{{{{series.MODEL}}}}}",
        width=24,
    )


def _select(metric: str, **labels: str) -> str:
    """Return a selector with these labels, for the providers that the user of the dashboard selects."""
    exact = series.select(metric, **labels).removesuffix("}")
    return f'{exact}{"," if labels else ""}{series.PROVIDER}=~"$provider"}}'


# -- Grafana --------------------------------------------------------------------------------------------------------


def _sdk() -> SimpleNamespace:
    try:
        from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, timeseries
        from grafana_foundation_sdk.cog import encoder
        from grafana_foundation_sdk.models import dashboard as models
    except ImportError as error:
        raise ImportError("the dashboard requires grafana-foundation-sdk: pip install 'l0-otel[slo]'") from error
    return SimpleNamespace(
        common=common,
        dashboard=dashboard,
        prometheus=prometheus,
        stat=stat,
        timeseries=timeseries,
        encoder=encoder,
        models=models,
    )


def _source(sdk: SimpleNamespace) -> Any:
    return sdk.models.DataSourceRef(type_val="prometheus", uid="${source}")


def _providers(sdk: SimpleNamespace) -> Any:
    return (
        sdk.dashboard.QueryVariable("provider")
        .label("Provider")
        .datasource(_source(sdk))
        .query(f"label_values({series.EVENTS}, {series.PROVIDER})")
        .refresh(sdk.models.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .multi(True)
        .include_all(True)
        .all_value(".*")
        .current(sdk.models.VariableOption(selected=True, text="All", value="$__all"))
    )


def _build(sdk: SimpleNamespace, panel: _Panel, number: int) -> Any:
    query = sdk.prometheus.Dataquery().ref_id("A").datasource(_source(sdk)).expr(panel.expr)
    query = query.legend_format(panel.legend)
    builder = sdk.timeseries.Panel() if panel.chart else sdk.stat.Panel()
    if not panel.chart:
        builder = builder.reduce_options(sdk.common.ReduceDataOptions().calcs(["lastNotNull"]))
    return (
        builder.id(number)
        .title(panel.title)
        .description(panel.text)
        .datasource(_source(sdk))
        .unit(panel.unit)
        .span(panel.width)
        .height(panel.height)
        .thresholds(_thresholds(sdk, panel.steps))
        .with_target(query.range() if panel.chart else query.instant())
    )


def _thresholds(sdk: SimpleNamespace, steps: Iterable[tuple[float | None, str]]) -> Any:
    thresholds = [sdk.models.Threshold(value=value, color=color) for value, color in steps]
    return sdk.dashboard.ThresholdsConfig().mode(sdk.models.ThresholdsMode.ABSOLUTE).steps(thresholds)
