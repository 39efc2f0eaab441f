"""Datadog's test agent decodes OTLP itself: all three signals arrive from the program without a Collector."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from backends import Agent
from evidence import Evidence, Running
from found import program

from l0.telemetry import names

CONTENT = (names.INPUT_MESSAGES, names.OUTPUT_MESSAGES)
UNITS = {metric.name: metric.unit for metric in (*names.L0_METRICS, *names.CURRENT.metrics)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Got:
    """One load, and the agent's exports of each signal."""

    evidence: Evidence
    traces: list[dict[str, Any]]
    metrics: list[dict[str, Any]]
    logs: list[dict[str, Any]]

    def spans(self) -> list[dict[str, Any]]:
        """Return the spans of all exports."""
        return list(_records(self.traces, "resource_spans", "scope_spans", "spans"))

    def events(self) -> list[dict[str, Any]]:
        """Return the log records of all exports."""
        return list(_records(self.logs, "resource_logs", "scope_logs", "log_records"))

    def latest(self) -> dict[str, dict[str, Any]]:
        """Return the metrics of the last export by name. Counters are cumulative."""
        exports = [list(_records([one], "resource_metrics", "scope_metrics", "metrics")) for one in self.metrics]
        return {metric["name"]: metric for metric in max(exports, key=_time)}


def _records(exports: list[dict[str, Any]], *path: str) -> Iterator[dict[str, Any]]:
    found = exports
    for step in path:
        found = [part for one in found for part in one.get(step, ())]
    return iter(found)


def _time(metrics: list[dict[str, Any]]) -> int:
    return max((int(point["time_unix_nano"]) for metric in metrics for point in points(metric)), default=0)


def points(metric: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the data points of a sum, histogram or gauge."""
    return [point for kind in ("sum", "histogram", "gauge") for point in metric.get(kind, {}).get("data_points", ())]


def attributes(record: dict[str, Any]) -> dict[str, Any]:
    """Return the attributes of a span, event or point. OTLP stores each value under the name of its type."""
    return {one["key"]: next(iter(one["value"].values()), None) for one in record.get("attributes", ())}


def trace(record: dict[str, Any]) -> str:
    """Return the trace id of a record in hexadecimal, as the program reports it."""
    return base64.b64decode(record["trace_id"]).hex()


@pytest.fixture(scope="module")
def got(tmp_path_factory: pytest.TempPathFactory) -> Got:
    """Run a load whose content is captured in events."""
    folder = tmp_path_factory.mktemp("agent")
    agent = Agent(program("ddapm-test-agent"), folder)
    with agent.server:
        environment = {"OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "EVENT_ONLY"}
        evidence = Running(agent.otlp, folder, "--calls", "40", **environment).evidence()
        return Got(evidence=evidence, traces=agent.got("traces"), metrics=agent.got("metrics"), logs=agent.got("logs"))


def test_every_span_arrives_once(got: Got) -> None:
    assert len(got.spans()) == got.evidence.spans()
    assert len({span["span_id"] for span in got.spans()}) == got.evidence.spans()
    calls = Counter(trace(span) for span in got.spans() if span["kind"] == "SPAN_KIND_CLIENT")
    assert calls == Counter(got.evidence.traces.values())


def test_counts_are_those_of_the_simulated_provider(got: Got) -> None:
    attempts = Counter[tuple[str, ...]]()
    for point in points(got.latest()[names.ATTEMPTS.name]):
        attempts[(attributes(point)[names.PROVIDER],)] += int(point["as_int"])
    assert attempts == got.evidence.attempts()
    calls = Counter[tuple[str, ...]]()
    for point in points(got.latest()[names.CURRENT.duration.name]):
        calls[(attributes(point)[names.PROVIDER],)] += int(point["count"])
    assert calls == got.evidence.calls()


def test_units_are_declared_and_sums_are_cumulative(got: Got) -> None:
    own = {name: metric for name, metric in got.latest().items() if name in UNITS}
    assert {name: metric["unit"] for name, metric in own.items()} == {name: UNITS[name] for name in own}
    assert len(own) > 10
    summed = [metric["sum"] for metric in own.values() if "sum" in metric]
    assert {one["aggregation_temporality"] for one in summed} == {"AGGREGATION_TEMPORALITY_CUMULATIVE"}


def test_exemplar_names_the_trace_of_a_call(got: Got) -> None:
    traces = {
        trace(example)
        for metric in got.latest().values()
        for point in points(metric)
        for example in point.get("exemplars", ())
        if "trace_id" in example
    }
    assert traces
    assert traces <= set(got.evidence.traces.values())


def test_content_is_in_one_event_a_call_and_on_no_span(got: Got) -> None:
    details = [event for event in got.events() if event.get("event_name") == names.DETAILS_EVENT]
    assert Counter(map(trace, details)) == Counter(got.evidence.traces.values())
    assert all(CONTENT[0] in attributes(event) for event in details)
    assert any(CONTENT[1] in attributes(event) for event in details)
    assert not any(name in attributes(span) for span in got.spans() for name in CONTENT)
