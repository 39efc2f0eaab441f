"""Build panels, and the frame that all dashboards share.

The ids of panels and the letters of queries are set explicitly, so that the same code always generates the same text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from string import ascii_uppercase
from typing import Any

from grafana_foundation_sdk.builders import common, dashboard, heatmap, prometheus, stat, timeseries
from grafana_foundation_sdk.models.common import (
    BigValueGraphMode,
    LegendDisplayMode,
    LegendPlacement,
    TooltipDisplayMode,
)
from grafana_foundation_sdk.models.dashboard import DashboardCursorSync, DataSourceRef, VariableOption, VariableRefresh
from grafana_foundation_sdk.models.heatmap import HeatmapColorMode
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from l0.telemetry import names

from . import promql

SOURCE = DataSourceRef(type_val="prometheus", uid="${source}")
SECONDS, SHARE, PER_SECOND, NUMBER = "s", "percentunit", "ops", "short"
"""Grafana's units."""
_NARROW, _HALF, _HIGH, _LOW = 6, 12, 8, 4
"""Widths and heights of panels, in units of Grafana's grid, which has 24 columns."""


def by(*labels: str) -> str:
    """Return a legend that names series by the values of these labels."""
    return " ".join(f"{{{{{label}}}}}" for label in labels)


@dataclass(frozen=True, slots=True)
class Query:
    """A query of a panel. ``legend``: name of each series. ``exemplars``: show traces as dots."""

    expr: str
    legend: str = by(promql.PROVIDER)
    exemplars: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One panel. ``unit``: one of Grafana's. ``kind``: one of `_BUILDERS`."""

    title: str
    description: str
    queries: Sequence[Query]
    unit: str = NUMBER
    kind: str = "chart"

    def build(self, number: int) -> Any:
        """Return the panel's builder. ``number``: the panel's id."""
        panel = _BUILDERS[self.kind]().id(number).title(self.title).description(self.description).datasource(SOURCE)
        panel = panel.unit(self.unit)
        for letter, query in zip(ascii_uppercase, self.queries, strict=False):
            panel = panel.with_target(_target(query, letter, self.kind))
        return panel


def _chart() -> timeseries.Panel:
    legend = common.VizLegendOptions().display_mode(LegendDisplayMode.LIST).placement(LegendPlacement.BOTTOM)
    tooltip = common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI)
    return timeseries.Panel().span(_HALF).height(_HIGH).legend(legend.show_legend(True)).tooltip(tooltip).min(0)


def _stacked() -> timeseries.Panel:
    return _chart().fill_opacity(30)


def _number() -> stat.Panel:
    values = common.ReduceDataOptions().calcs(["lastNotNull"])
    return stat.Panel().span(_NARROW).height(_LOW).reduce_options(values).graph_mode(BigValueGraphMode.NONE)


def _heat() -> heatmap.Panel:
    color = heatmap.HeatmapColorOptions().mode(HeatmapColorMode.SCHEME).scheme("Oranges").steps(32)
    return heatmap.Panel().span(_HALF).height(_HIGH).calculate(False).color(color)


_BUILDERS: dict[str, Any] = {"chart": _chart, "area": _stacked, "number": _number, "heat": _heat}


def _target(query: Query, letter: str, kind: str) -> prometheus.Dataquery:
    target = prometheus.Dataquery().ref_id(letter).datasource(SOURCE).expr(query.expr).legend_format(query.legend)
    if kind == "number":
        return target.instant()
    target = target.range().exemplar(query.exemplars)
    return target.format(PromQueryFormat.HEATMAP) if kind == "heat" else target


def frame(uid: str, title: str, description: str, rows: dict[str, Sequence[Panel]]) -> dashboard.Dashboard:
    """Return a dashboard. ``rows``: panels by heading."""
    built = (
        dashboard.Dashboard(title)
        .uid(uid)
        .description(description)
        .tags(["l0", "llm"])
        .time("now-1h", "now")
        .refresh("30s")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .editable()
        .with_variable(dashboard.DatasourceVariable("source").label("Prometheus").type("prometheus"))
        .with_variable(_choice("provider", "Provider", promql.PROVIDER))
        .with_variable(_choice("model", "Model", promql.MODEL))
        .link(dashboard.DashboardLink("L0").tags(["l0"]).as_dropdown(True).include_vars(True).keep_time(True))
    )
    number = 0
    for heading, panels in rows.items():
        number += 1
        built = built.with_row(dashboard.Row(heading).id(number))
        for panel in panels:
            number += 1
            built = built.with_panel(panel.build(number))
    return built


def _choice(name: str, title: str, label: str) -> dashboard.QueryVariable:
    """Return a variable that lets the reader choose among the values of a label."""
    duration = promql.series(names.CURRENT.duration) + "_count"
    return (
        dashboard.QueryVariable(name)
        .label(title)
        .datasource(SOURCE)
        .query(f"label_values({duration}, {label})")
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .multi(True)
        .include_all(True)
        .all_value(".*")
        .current(VariableOption(selected=True, text="All", value="$__all"))
    )
