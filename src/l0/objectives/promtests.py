"""Unit tests of the rules, for ``promtool test rules``: every alert fires for every objective, and stays quiet.

In each test a provider stands for each case: one burns a little above the factor, one a little below, one has too few
events to say anything, one has burned but no longer does, one has only just begun to, and one burns by a single error.
Only for the first the alert may fire.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from . import rules, series
from .burn import MINUTE, PAIRS, Pair, can_fire, duration
from .objective import Objective

PER_MINUTE = 1000
"""Events a minute of a busy provider."""
ABOVE, BELOW = 1.2, 0.8
"""Failure shares of the cases, in parts of what an alert allows."""
FIRING = "above"
_Values = tuple[str, str]


def promtests(objectives: Sequence[Objective], rule_file: str) -> dict[str, Any]:
    """A promtool test file, as a mapping. ``rule_file``: the rules, seen from the test file."""
    return {
        "rule_files": [rule_file],
        "evaluation_interval": duration(rules.STEP),
        "group_eval_order": [rules.RECORDING, rules.ALERTS],
        "tests": [_test(objective, pair) for objective in objectives for pair in PAIRS],
    }


def _test(objective: Objective, pair: Pair) -> dict[str, Any]:
    return {
        "name": f"{objective.name}: {rules.alert_name(pair)} fires above its factor, and then only",
        "interval": duration(MINUTE),
        "input_series": list(_inputs(objective, pair)),
        "alert_rule_test": [
            {
                "eval_time": duration(pair.long),
                "alertname": rules.alert_name(pair),
                "exp_alerts": [_expected(objective, pair)] if can_fire(pair, objective) else [],
            }
        ],
    }


def _inputs(objective: Objective, pair: Pair) -> Iterator[dict[str, str]]:
    for case, values in _cases(objective, pair).items():
        labels = {series.SLO: objective.name, series.LAYER: objective.layer, series.PROVIDER: case, series.MODEL: "m"}
        for good, told in zip(("true", "false"), values, strict=True):
            yield {"series": series.select(series.EVENTS, **labels, **{series.GOOD: good}), "values": told}


def _cases(objective: Objective, pair: Pair) -> dict[str, _Values]:
    """Good and bad events by provider. One that no failure share can burn so fast has the counter-cases only."""
    minutes = pair.long // MINUTE
    calm = (pair.short + rules.STEP) // MINUTE
    scarce = (objective.min_events - 0.5) / minutes
    limit, bad = pair.factor * objective.budget, _firing(objective, pair)
    cases = {
        "below": _steady(min(BELOW * limit, 1.0), PER_MINUTE, minutes),
        "scarce": _steady(bad, scarce, minutes),
        "over": _over(bad, minutes - calm, calm),
        "brief": _brief(bad, minutes - calm, calm),
    }
    few = 1.2 / limit  # events, of which 1.3 errors burn too fast
    if few > objective.min_events + 1:
        cases["single"] = _steady(1.3 / few, few / minutes, minutes)
    return {FIRING: _steady(bad, PER_MINUTE, minutes), **cases} if can_fire(pair, objective) else cases


def _firing(objective: Objective, pair: Pair) -> float:
    """A failure share above the limit, if there is one."""
    limit = pair.factor * objective.budget
    return min(ABOVE * limit, (1 + limit) / 2, 1.0)


def _steady(bad: float, rate: float, minutes: int) -> _Values:
    """From the beginning to the end of the long window, in promtool's notation."""
    return f"0+{(1 - bad) * rate:.6f}x{minutes}", f"0+{bad * rate:.6f}x{minutes}"


def _over(bad: float, minutes: int, calm: int) -> _Values:
    """All good for the last ``calm`` minutes."""
    good, spent = (1 - bad) * PER_MINUTE, bad * PER_MINUTE
    return (
        f"0+{good:.6f}x{minutes} {good * minutes + PER_MINUTE:.6f}+{PER_MINUTE}x{calm - 1}",
        f"0+{spent:.6f}x{minutes} {spent * minutes:.6f}+0x{calm - 1}",
    )


def _brief(bad: float, minutes: int, burning: int) -> _Values:
    """All good but for the last ``burning`` minutes."""
    good, spent = (1 - bad) * PER_MINUTE, bad * PER_MINUTE
    return (
        f"0+{PER_MINUTE}x{minutes} {PER_MINUTE * minutes + good:.6f}+{good:.6f}x{burning - 1}",
        f"0+0x{minutes} {spent:.6f}+{spent:.6f}x{burning - 1}",
    )


def _expected(objective: Objective, pair: Pair) -> dict[str, Any]:
    labels = {series.SLO: objective.name, series.LAYER: objective.layer, series.PROVIDER: FIRING}
    burn = _firing(objective, pair) / objective.budget
    return {
        "exp_labels": labels | rules.alert(pair)["labels"],
        "exp_annotations": {
            "summary": rules.summary(objective.name, FIRING),
            "description": rules.description(f"{burn:.1f}", pair),
        },
    }
