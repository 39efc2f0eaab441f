"""Prometheus rules: recorded burn rates per provider, and four alerts on them.

Windows of up to one hour are computed from the raw counters. Longer windows are sums of recorded five-minute increases,
so that 30 days of a large fleet are cheap to evaluate. The sums lag by at most five minutes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from . import series
from .burn import HOUR, MIN_BAD, MINUTE, PAIRS, WINDOWS, Pair, duration
from .objective import Objective

INTERVAL = MINUTE
"""Evaluation interval of the rules, in seconds."""
STEP = 5 * MINUTE
"""Length of the recorded increases that long windows add up, in seconds."""
RECORDING, ALERTS = "l0-slo-recording", "l0-slo-alerts"
"""Names of the two groups, in the order of their evaluation."""
DIRECT = HOUR
"""Longest window that is computed from the raw counters, in seconds."""
_WHOLE = '{{ .Value | printf "%.0f" }}'
"""A template of the value of a query, as a whole number."""


def rules(objectives: Sequence[Objective]) -> dict[str, Any]:
    """Return a Prometheus rule file as a mapping, with a group of recording rules and a group of alerts."""
    windows = sorted({*WINDOWS, *(objective.window for objective in objectives)})
    recording = [
        *(rule for objective in objectives for rule in _objective_rules(objective)),
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
    """Return the name of the alert of a pair. It covers every objective and provider."""
    return f"L0SloBurn{duration(pair.long)}"


def alert(pair: Pair) -> dict[str, Any]:
    """Return the alert rule of a pair: both windows exceed the factor, with enough events and errors."""
    long, short = duration(pair.long), duration(pair.short)
    factor = f"{pair.factor:g}"
    return {
        "alert": alert_name(pair),
        "expr": (
            f"{series.burn(pair.long)} > {factor}\n"
            f"and {series.burn(pair.short)} > {factor}\n"
            f"and {series.events(pair.long)} >= on ({series.SLO}) group_left () {series.MIN_EVENTS}\n"
            f"and {series.errors(pair.long)} > {MIN_BAD - 0.5:g}\n"  # increases are estimates, not whole numbers
        ),
        "labels": {"severity": pair.severity, "long_window": long, "short_window": short},
        "annotations": {
            "summary": summary("{{ $labels." + series.SLO + " }}", "{{ $labels." + series.PROVIDER + " }}"),
            "description": description(
                pair,
                burn='{{ $value | printf "%.1f" }}',
                defined=_first(series.TARGET, _label(series.DEFINITION), series.SLO),
                bad=_first(series.errors(pair.long), _WHOLE, series.SLO, series.PROVIDER),
                total=_first(series.events(pair.long), _WHOLE, series.SLO, series.PROVIDER),
                model=_worst_model(pair),
            ),
        },
    }


def summary(objective: str, provider: str) -> str:
    """Return the summary of an alert."""
    return f"{provider} is burning the error budget of {objective}"


def description(pair: Pair, *, burn: str, defined: str, bad: str, total: str, model: str) -> str:
    """Return the description of an alert. ``defined``: as `definition`. ``bad``, ``total``: events in the long window.

    ``model``: the one with the most bad events in the short window.
    """
    long, short = duration(pair.long), duration(pair.short)
    return (
        f"{defined}. In {long}, {bad} of {total} events were bad: the burn rate is {burn}, and also above "
        f"{pair.factor:g} in {short}. The model with the most bad events in {short}: {model}."
    )


def _first(metric: str, text: str, *labels: str) -> str:
    """Return a template of ``text``, with the value of the series whose ``labels`` equal those of the alert."""
    selector = ",".join(f"{label}=%q" for label in labels)
    values = " ".join(f"$labels.{label}" for label in labels)
    return f"{{{{ range printf `{metric}{{{selector}}}` {values} | query }}}}{text}{{{{ end }}}}"


def _worst_model(pair: Pair) -> str:
    select = f'{series.EVENTS}{{{series.GOOD}="false",{series.SLO}=%q,{series.PROVIDER}=%q}}'
    query = f"topk(1, sum by ({series.MODEL}) (increase({select}[{duration(pair.short)}])))"
    values = f"$labels.{series.SLO} $labels.{series.PROVIDER}"
    return f"{{{{ range printf `{query}` {values} | query }}}}{_label(series.MODEL)}{{{{ end }}}}"


def _label(name: str) -> str:
    return f"{{{{ .Labels.{name} }}}}"


def definition(objective: Objective) -> str:
    """Return what an objective counts, and its target, for the texts of alerts."""
    within = "" if objective.threshold is None else f" within {objective.threshold:g} s"
    return f"{objective.indicator}{within}, target {100 * objective.target:.10g} %"


def _objective_rules(objective: Objective) -> list[dict[str, Any]]:
    labels = {series.SLO: objective.name, series.LAYER: objective.layer}
    window = {
        series.WINDOW: duration(objective.window),
        series.DEFINITION: definition(objective),
    }
    return [
        {"record": series.TARGET, "expr": f"vector({float(objective.target)!r})", "labels": labels | window},
        {"record": series.MIN_EVENTS, "expr": f"vector({objective.min_events})", "labels": labels},
    ]


def _increases(seconds: int) -> list[dict[str, Any]]:
    bad = series.select(series.EVENTS, **{series.GOOD: "false"})
    if seconds <= DIRECT:
        total, failed = _sum(series.EVENTS, seconds), _sum(bad, seconds)
        # Before the first failure there is no series of failures. That means zero failures, not missing data.
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
    """Return the rule for the remaining budget of all objectives with this window."""
    targets = series.select(series.TARGET, **{series.WINDOW: duration(seconds)})
    return {"record": series.BUDGET, "expr": f"1 - {series.burn(seconds)} and on ({series.SLO}) {targets}"}
