"""`l0 slo status`: the table and the chart, by rich."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING

from l0.slo.burn import PAIRS, duration
from l0.slo.status_report import INSUFFICIENT, share, times

from ..inputs import InputError, check_range
from .chart import chart
from .prometheus_client import Prometheus, PrometheusStatus

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

WIDTH = 108
_NOTHING = """{url} has no events of objectives. Are the rules of `l0 slo rules` loaded there, and are there calls?
Long windows begin five minutes after the first of them."""


def status(url: str, hours: float, *, plain: bool) -> int:
    """Show it; 0 if every budget that can be judged has something left, else 1. Raises `InputError`."""
    if find_spec("rich") is None:
        raise InputError("the table needs rich: pip install 'l0-otel[slo]'")
    check_range("--hours", hours, 0.1, 24 * 30)
    from rich.console import Console

    prometheus, now = Prometheus(url), time.time()
    standings = prometheus.standings(now, hours)
    if not standings:
        raise InputError(_NOTHING.format(url=url))
    console = Console(no_color=plain, highlight=False, width=WIDTH if plain else None)
    for part in picture(standings, prometheus.masked(now), hours, plain=plain):
        console.print(part)
    return 1 if any(_spent(standing) for standing in standings) else 0


def _spent(standing: PrometheusStatus) -> bool:
    return standing.enough and standing.budget_left is not None and standing.budget_left <= 0


def picture(
    standings: Sequence[PrometheusStatus], masked: Mapping[str, float], hours: float, *, plain: bool
) -> list[RenderableType]:
    """The tables, what recovery saved, and a chart of the budget that is nearest to its end."""
    from rich.text import Text

    parts: list[RenderableType] = [
        _table(layer, [standing for standing in standings if standing.layer == layer], plain=plain)
        for layer in dict.fromkeys(standing.layer for standing in standings)
    ]
    for provider, ratio in sorted(masked.items()):
        parts.append(f"{provider}: {share(ratio)} of the calls delivered in the last 3 days were saved by recovery")
    judged = [standing for standing in standings if standing.enough and any(standing.history)]
    if judged:
        parts.append(Text(_chart(min(judged, key=_left), hours, plain=plain)))
    return parts


def _left(standing: PrometheusStatus) -> float:
    return standing.budget_left if standing.budget_left is not None else 1.0


def _table(layer: str, standings: Sequence[PrometheusStatus], *, plain: bool) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.ASCII if plain else box.ROUNDED, title=layer.capitalize(), title_justify="left")
    for heading in ("objective", "provider"):
        table.add_column(heading)
    for heading in ("target", "events", "budget left", *(f"burn {duration(pair.long)}" for pair in PAIRS)):
        table.add_column(heading, justify="right")
    for standing in standings:
        left = share(standing.budget_left) if standing.enough else INSUFFICIENT
        table.add_row(
            standing.objective,
            standing.provider,
            share(standing.target),
            f"{standing.events:.0f}",
            left,
            *(times(standing.burns.get(pair.long)) for pair in PAIRS),
            style="red" if _spent(standing) else None,
        )
    return table


def _chart(standing: PrometheusStatus, hours: float, *, plain: bool) -> str:
    known = [value for value in standing.history if value is not None]
    low = min(0.0, *known)
    title = f"Budget left: {standing.objective} of {standing.provider}, the last {hours:g} h"
    return "\n".join((title, *chart(standing.history, height=6, low=low, high=1.0, plain=plain)))
