"""Every query of every dashboard parses on a real Prometheus, and returns numbers after a load."""

from __future__ import annotations

import json
from collections.abc import Iterator
from math import isfinite
from typing import Any

import pytest
from backends import CONFIG
from servers import wait_for
from stack import Stack

from l0.telemetry import names

DASHBOARDS = sorted((CONFIG / "grafana" / "dashboards").glob("*.json"))
SLO = "slo"
"""Looks at what rules record over hours and days: `test_slo` asks its queries."""
VARIABLES = {"$provider": ".*", "$model": ".*", "$__rate_interval": "10s", "$__range": "60s"}
FROM_SPANS = "l0_spans_"


def panels() -> Iterator[tuple[str, str, str]]:
    for file in DASHBOARDS:
        if file.stem == SLO:
            continue
        for panel in json.loads(file.read_text())["panels"]:
            for target in panel.get("targets", []):
                yield file.stem, f"{panel['title']}, {target['refId']}", target["expr"]


def filled_in(expression: str) -> str:
    for name, value in VARIABLES.items():
        expression = expression.replace(name, value)
    assert "$" not in expression
    return expression


QUERIES = [pytest.param(expr, id=f"{file}: {title}") for file, title, expr in panels()]


@pytest.mark.parametrize("expression", QUERIES)
def test_a_query_returns_numbers(stack: Stack, expression: str) -> None:
    def numbers() -> list[float]:
        found = stack.prometheus.series(filled_in(expression), stack.did.began, stack.did.ended + 5)
        return [value for values in found for value in values if isfinite(value)]

    if FROM_SPANS in expression and not stack.span_metrics:
        assert numbers() == []  # core components make no metrics of spans, and the panel says so
        return
    wait_for(f"numbers for {expression}", numbers, seconds=10)
    assert any(value > 0 for value in numbers())


@pytest.mark.parametrize("file", DASHBOARDS, ids=lambda file: file.stem)
def test_ids_and_letters_are_set(file: Any) -> None:
    dashboard = json.loads(file.read_text())
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(set(ids)) == len(ids)
    assert dashboard["uid"].startswith("l0-")
    for panel in dashboard["panels"]:
        letters = [target["refId"] for target in panel.get("targets", [])]
        assert len(set(letters)) == len(letters)


def test_no_metric_of_the_table_is_forgotten() -> None:
    shown = " ".join(expression for _, _, expression in panels())
    own = [metric.name.replace(".", "_") for metric in (*names.L0_METRICS, *names.CURRENT.metrics)]
    assert [name for name in own if name not in shown] == []
