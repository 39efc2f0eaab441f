"""`l0 slo status --prometheus URL`: show a table and a chart, rendered by rich."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING

from l0.slo.burn import PAIRS, Pair, duration
from l0.slo.status_report import INSUFFICIENT, burn_text, share, times

from ..inputs import InputError, check_range
from .chart import chart
from .exit_code import exit_code
from .prometheus_client import Prometheus, PrometheusStatus

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

_WIDTH = 100_000
"""Columns of a line that no terminal shows: it is never cut, because two names could become the same."""
_NO_EVENTS = """{url} has no events of objectives. Check that it has loaded the rules of `l0 slo rules`, and that calls
were made. Long windows start five minutes after the first call."""


def status(url: str, hours: float, fail_on: str, *, plain: bool) -> int:
    """Show the status, and return the exit code. ``fail_on``: as `exit_code`.

    Raises `InputError`.
    """
    if find_spec("rich") is None:
        raise InputError("the table needs rich: pip install 'l0-otel[slo]'")
    check_range("--hours", hours, 0.1, 24 * 30)
    from ..output_console import OutputConsole

    prometheus, now = Prometheus(url), time.time()
    statuses = prometheus.statuses(now, hours)
    if not statuses:
        raise InputError(_NO_EVENTS.format(url=url))
    console = OutputConsole(no_color=plain, highlight=False)
    if plain or not console.is_terminal:
        console.width = _WIDTH
    for part in renderables(statuses, prometheus.masked(now), hours, plain=plain):
        console.print(part)
    return exit_code(
        fail_on,
        is_spent=any(map(_spent, statuses)),
        burning=(pair for status in statuses for pair in status.burning),
    )


def _spent(status: PrometheusStatus) -> bool:
    return status.enough and status.budget_left is not None and status.budget_left <= 0


def _pages(status: PrometheusStatus) -> bool:
    return any(pair.severity == "page" for pair in status.burning)


def renderables(
    statuses: Sequence[PrometheusStatus], masked: Mapping[str, float], hours: float, *, plain: bool
) -> list[RenderableType]:
    """Return the tables, the shares of calls that recovery saved, and a chart of the budget with the least left."""
    from rich.text import Text

    parts: list[RenderableType] = [
        _table(layer, [status for status in statuses if status.layer == layer], plain=plain)
        for layer in dict.fromkeys(status.layer for status in statuses)
    ]
    burns = [_burn_text(status, pair) for status in statuses for pair in status.burning]
    if burns:
        parts.append(Text("\n".join(burns)))
    for provider, ratio in sorted(masked.items()):
        parts.append(f"{provider}: {share(ratio)} of the calls delivered in the last 3 days were saved by recovery")
    charted = [status for status in statuses if status.enough and any(value is not None for value in status.history)]
    if charted:
        parts.append(Text(_chart(min(charted, key=_budget_left), hours, plain=plain)))
    return parts


def _burn_text(status: PrometheusStatus, pair: Pair) -> str:
    left = status.budget_left if status.enough else None
    return burn_text(status.objective, status.provider, pair, status.burns.get(pair.long), left)


def _budget_left(status: PrometheusStatus) -> float:
    return status.budget_left if status.budget_left is not None else 1.0


def _table(layer: str, statuses: Sequence[PrometheusStatus], *, plain: bool) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.ASCII if plain else box.ROUNDED, title=layer.capitalize(), title_justify="left")
    for heading in ("objective", "provider"):
        table.add_column(heading, overflow="fold")
    for heading in ("target", "events", "budget left", *(f"burn {duration(pair.long)}" for pair in PAIRS)):
        table.add_column(heading, justify="right")
    for status in statuses:
        left = share(status.budget_left) + "!" * _spent(status) if status.enough else INSUFFICIENT
        table.add_row(
            status.objective,
            status.provider,
            share(status.target),
            f"{status.shown_events:.0f}",
            left,
            *(times(status.burns.get(pair.long)) + "!" * (pair in status.burning) for pair in PAIRS),
            style="red" if _spent(status) or _pages(status) else None,
        )
    return table


def _chart(status: PrometheusStatus, hours: float, *, plain: bool) -> str:
    known = [value for value in status.history if value is not None]
    low = min(0.0, *known)
    title = f"Budget left: {status.objective} of {status.provider}, the last {hours:g} h"
    return "\n".join((title, *chart(status.history, height=6, low=low, high=1.0, plain=plain)))
