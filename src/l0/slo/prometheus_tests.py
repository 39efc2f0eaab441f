"""Generate unit tests of the rules for ``promtool test rules``, which check when every alert fires for every objective.

Each test has one provider per case: it burns slightly above the factor, slightly below it, has too few events, has
stopped burning, has just begun to burn, or burns because of a single error. The alert must fire only for the first
case.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import ceil
from typing import Any

from . import prometheus_rules, series
from .burn import MINUTE, PAIRS, Pair, can_fire, duration
from .objective import Objective

PER_MINUTE = 1000
"""Events per minute of a busy provider."""
ABOVE, BELOW = 1.2, 0.8
"""Failure shares of the cases, as factors of the limit of an alert."""
FIRING = "above"
_Values = tuple[str, str]


def promtests(objectives: Sequence[Objective], rule_file: str) -> dict[str, Any]:
    """Return a promtool test file as a mapping. ``rule_file``: path of the rules, relative to the test file."""
    return {
        "rule_files": [rule_file],
        "evaluation_interval": duration(prometheus_rules.STEP),
        "group_eval_order": [prometheus_rules.RECORDING, prometheus_rules.ALERTS],
        "tests": [_test(objective, pair) for objective in objectives for pair in PAIRS],
    }


def _test(objective: Objective, pair: Pair) -> dict[str, Any]:
    return {
        "name": f"{objective.name}: {prometheus_rules.alert_name(pair)} fires only above its factor",
        "interval": duration(MINUTE),
        "input_series": list(_inputs(objective, pair)),
        "alert_rule_test": [
            {
                "eval_time": duration(pair.long),
                "alertname": prometheus_rules.alert_name(pair),
                "exp_alerts": [_expected(objective, pair)] if can_fire(pair, objective) else [],
            }
        ],
    }


def _inputs(objective: Objective, pair: Pair) -> Iterator[dict[str, str]]:
    for case, values in _cases(objective, pair).items():
        labels = {series.SLO: objective.name, series.LAYER: objective.layer, series.PROVIDER: case, series.MODEL: "m"}
        for good, samples in zip(("true", "false"), values, strict=True):
            yield {"series": series.select(series.EVENTS, **labels, **{series.GOOD: good}), "values": samples}


def _cases(objective: Objective, pair: Pair) -> dict[str, _Values]:
    """Return good and bad events by provider. If the alert cannot fire, return only the cases in which it must not."""
    minutes = pair.long // MINUTE
    calm = (pair.short + prometheus_rules.STEP) // MINUTE
    scarce = (objective.min_events - 0.5) / minutes  # events per minute that are too few in the window
    limit, failure_share = pair.factor * objective.budget, _firing(objective, pair)
    cases = {
        "below": _steady(min(BELOW * limit, 1.0), PER_MINUTE, minutes),
        "scarce": _steady(failure_share, scarce, minutes),
        "over": _over(failure_share, minutes - calm, calm),
        "brief": _brief(failure_share, minutes - calm, calm),
    }
    few = 1.2 / limit  # number of events among which 1.3 errors exceed the limit
    if few > objective.min_events + 1:
        cases["single"] = _steady(1.3 / few, few / minutes, minutes)
    return {FIRING: _steady(failure_share, PER_MINUTE, minutes), **cases} if can_fire(pair, objective) else cases


def _firing(objective: Objective, pair: Pair) -> float:
    """Return a failure share above the limit, or 1.0 if there is none."""
    limit = pair.factor * objective.budget
    events = PER_MINUTE * pair.long // MINUTE
    # A whole number of bad events: the text of the alert has it, and must not depend on how a half is rounded.
    return min(ceil(min(ABOVE * limit, (1 + limit) / 2) * events - 1e-6) / events, 1.0)


def _steady(failure_share: float, rate: float, minutes: int) -> _Values:
    """Return constant rates over the long window, in promtool's notation."""
    return f"0+{(1 - failure_share) * rate:.6f}x{minutes}", f"0+{failure_share * rate:.6f}x{minutes}"


def _over(failure_share: float, minutes: int, calm: int) -> _Values:
    """Return rates that are all good in the last ``calm`` minutes."""
    good, spent = (1 - failure_share) * PER_MINUTE, failure_share * PER_MINUTE
    return (
        f"0+{good:.6f}x{minutes} {good * minutes + PER_MINUTE:.6f}+{PER_MINUTE}x{calm - 1}",
        f"0+{spent:.6f}x{minutes} {spent * minutes:.6f}+0x{calm - 1}",
    )


def _brief(failure_share: float, minutes: int, burning: int) -> _Values:
    """Return rates that are all good except in the last ``burning`` minutes."""
    good, spent = (1 - failure_share) * PER_MINUTE, failure_share * PER_MINUTE
    return (
        f"0+{PER_MINUTE}x{minutes} {PER_MINUTE * minutes + good:.6f}+{good:.6f}x{burning - 1}",
        f"0+0x{minutes} {spent:.6f}+{spent:.6f}x{burning - 1}",
    )


def _expected(objective: Objective, pair: Pair) -> dict[str, Any]:
    labels = {series.SLO: objective.name, series.LAYER: objective.layer, series.PROVIDER: FIRING}
    failure_share, total = _firing(objective, pair), PER_MINUTE * pair.long // MINUTE
    return {
        "exp_labels": labels | prometheus_rules.alert(pair)["labels"],
        "exp_annotations": {
            "summary": prometheus_rules.summary(objective.name, FIRING),
            "description": prometheus_rules.description(
                pair,
                burn=f"{failure_share / objective.budget:.1f}",
                defined=prometheus_rules.definition(objective),
                bad=f"{failure_share * total:.0f}",
                total=str(total),
                model="m",
            ),
        },
    }
