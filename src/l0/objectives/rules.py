"""Prometheus rules: burn rates recorded per provider, and four alerts on them.

Windows up to an hour look at the raw counters. The longer ones are sums of recorded five-minute increases, so that
thirty days of a whole fleet stay cheap; they lag by five minutes at most.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from . import series
from .burn import HOUR, LEAST_BAD, MINUTE, PAIRS, WINDOWS, Pair, duration
from .objective import Objective

INTERVAL = MINUTE
"""Seconds between two looks."""
STEP = 5 * MINUTE
"""The increases that long windows are made of."""
RECORDING, ALERTS = "l0-slo-recording", "l0-slo-alerts"
"""The two groups, in the order in which they look."""
DIRECT = HOUR
"""The longest window, in seconds, that looks at the raw counters."""


def rules(objectives: Sequence[Objective]) -> dict[str, Any]:
    """A Prometheus rule file, as a mapping: two groups, one that records and one that alerts."""
    windows = sorted({*WINDOWS, *(objective.window for objective in objectives)})
    recording = [
        *(rule for objective in objectives for rule in _promises(objective)),
        *(rule for seconds in windows for rule in _increases(seconds)),
        *map(_burn, windows),
        *(_budget(seconds) for seconds in sorted({objective.window for objective in objectives})),
    ]
    interval = duration(INTERVAL)
    return {
        "groups": [
            {"name": RECORDING, "interval": interval, "rules": recording},
            {"name": ALERTS, "interval": interval, "rules": [alert(pair) for pair in PAIRS]},
        ]
    }


def alert_name(pair: Pair) -> str:
    """One alert per pair of windows, for every objective and provider."""
    return f"L0SloBurn{duration(pair.long)}"


def alert(pair: Pair) -> dict[str, Any]:
    """Burns through a budget: over the long window, still now, and on enough events to say so."""
    long, short = duration(pair.long), duration(pair.short)
    factor = f"{pair.factor:g}"
    return {
        "alert": alert_name(pair),
        "expr": (
            f"{series.burn(pair.long)} > {factor}\n"
            f"and {series.burn(pair.short)} > {factor}\n"
            f"and {series.events(pair.long)} >= on ({series.SLO}) group_left () {series.MIN_EVENTS}\n"
            f"and {series.errors(pair.long)} > {LEAST_BAD - 0.5:g}\n"  # increases are estimates, whole numbers or not
        ),
        "labels": {"severity": pair.severity, "long_window": long, "short_window": short},
        "annotations": {
            "summary": summary("{{ $labels." + series.SLO + " }}", "{{ $labels." + series.PROVIDER + " }}"),
            "description": description('{{ $value | printf "%.1f" }}', pair),
        },
    }


def summary(objective: str, provider: str) -> str:
    """An alert's first line."""
    return f"{provider} is burning the error budget of {objective}"


def description(burn: str, pair: Pair) -> str:
    """An alert's text."""
    return (
        f"The budget is spent {burn} times faster than it lasts over {duration(pair.long)}, and above "
        f"{pair.factor:g} times over {duration(pair.short)} too."
    )


def _promises(objective: Objective) -> list[dict[str, Any]]:
    labels = {series.SLO: objective.name, series.LAYER: objective.layer}
    window = {series.WINDOW: duration(objective.window)}
    return [
        {"record": series.TARGET, "expr": f"vector({float(objective.target)!r})", "labels": labels | window},
        {"record": series.MIN_EVENTS, "expr": f"vector({objective.min_events})", "labels": labels},
    ]


def _increases(seconds: int) -> list[dict[str, Any]]:
    bad = series.select(series.EVENTS, **{series.GOOD: "false"})
    if seconds <= DIRECT:
        total, failed = _sum(series.EVENTS, seconds), _sum(bad, seconds)
        # Where nothing has failed yet there is no series of failures: that is none of them, not no data.
        failed += f" or 0 * {series.events(seconds)}"
    else:
        span = f"[{duration(seconds)}:{duration(STEP)}]"
        total, failed = (f"sum_over_time({name(STEP)}{span})" for name in (series.events, series.errors))
    return [{"record": series.events(seconds), "expr": total}, {"record": series.errors(seconds), "expr": failed}]


def _sum(counter: str, seconds: int) -> str:
    return f"sum by ({', '.join(series.BY)}) (increase({counter}[{duration(seconds)}]))"


def _burn(seconds: int) -> dict[str, Any]:
    ratio = f"{series.errors(seconds)} / {series.events(seconds)}"
    return {
        "record": series.burn(seconds),
        "expr": f"({ratio}) / on ({series.SLO}) group_left () (1 - {series.TARGET})",
    }


def _budget(seconds: int) -> dict[str, Any]:
    """One for each length of budget, of the objectives that have it."""
    promised = series.select(series.TARGET, **{series.WINDOW: duration(seconds)})
    return {"record": series.BUDGET, "expr": f"1 - {series.burn(seconds)} and on ({series.SLO}) {promised}"}
