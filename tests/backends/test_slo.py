"""Objectives: the same numbers in the process, in Prometheus, and recomputed from the provider's own ledger."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from backends import CONFIG
from found import program

from l0.slo import prometheus_rules, series
from l0.slo.burn import DAY, HOUR, Count, budget_left, burn_rate, duration
from l0.slo.objective import DEFAULTS, MASKED, Objective

LONG = 78 * 60
"""Minutes: more than the longest window of an alert."""
EACH = 1000
"""Events a minute."""
PROVIDER = "openai"


def bad(place: int) -> int:
    """Of them; another number for every objective."""
    return 3 + 7 * place


def fed() -> Iterator[dict[str, str]]:
    """Every objective and the masked rate, failing at a steady share."""
    known = [*((objective.name, objective.layer) for objective in DEFAULTS), (MASKED, "delivered")]
    for place, (name, layer) in enumerate(known):
        labels = {series.SLO: name, series.LAYER: layer, series.PROVIDER: PROVIDER, series.MODEL: "m"}
        for good, each in (("true", EACH - bad(place)), ("false", bad(place))):
            named = series.select(series.EVENTS, **labels, **{series.GOOD: good})
            yield {"series": named, "values": f"0+{each}x{LONG}"}


def checked(expression: str, value: float, labels: str = "{}") -> dict[str, Any]:
    return {
        "expr": expression,
        "eval_time": f"{LONG}m",
        "exp_samples": [{"labels": labels, "value": value}],
    }


def figures(place: int, objective: Objective) -> Iterator[dict[str, Any]]:
    """Return the process's own result for the same events."""
    count = Count(bad(place), EACH)
    labels = {series.SLO: objective.name, series.LAYER: objective.layer, series.PROVIDER: PROVIDER}
    wanted = {series.burn(seconds): burn_rate(count, objective) for seconds in (HOUR, 6 * HOUR, DAY, 3 * DAY)}
    wanted[series.BUDGET] = budget_left(count, objective)
    for name, value in wanted.items():
        assert value is not None
        yield checked(series.select(name, **labels), value, series.select(name, **labels))


def queries() -> Iterator[str]:
    for panel in json.loads((CONFIG / "grafana" / "dashboards" / "slo.json").read_text())["panels"]:
        for target in panel.get("targets", []):
            yield target["expr"].replace("$provider", ".*")


def test_burn_rates_and_budgets_agree_and_the_dashboard_shows_them(tmp_path: Path) -> None:
    shown = list(queries())
    assert len(shown) > 5
    test = {
        "rule_files": [str(CONFIG / "prometheus" / "rules" / "l0-slo.yml")],
        "evaluation_interval": duration(prometheus_rules.STEP),
        "fuzzy_compare": True,
        "tests": [
            {
                "interval": "1m",
                "input_series": list(fed()),
                "promql_expr_test": [
                    *(check for place, objective in enumerate(DEFAULTS) for check in figures(place, objective)),
                    *(checked(f"count({query}) > bool 0", 1) for query in shown),
                ],
            }
        ],
    }
    file = tmp_path / "slo.yml"
    file.write_text(yaml.safe_dump(test))
    done = subprocess.run(
        [program("promtool"), "test", "rules", str(file)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
