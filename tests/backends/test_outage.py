"""A Collector that crashes and comes back, and one that was never there: no call is disturbed, losses are known."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from backends import Collector, Jaeger, Prometheus
from evidence import Evidence, Running
from found import program
from servers import LOOPBACK, free_ports, wait_for

COMPLAINT = "OTLP export to"
OUTAGE = 3.0
"""Seconds that it stays away after the program has noticed."""
IMPATIENT = {
    "OTEL_EXPORTER_OTLP_TIMEOUT": "1",
    "OTEL_BSP_SCHEDULE_DELAY": "500",
    "OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED": "true",
}
"""Batches are given up after a second, so that an outage of seconds is one; OpenTelemetry's SDK counts its losses."""
GROWTH_KB = 64 * 1024
"""What a load may need beyond what it had when it was warm, export queues that nobody empties included."""


def undisturbed(did: Evidence, as_in: Evidence) -> None:
    """The users got the same, to the call."""
    assert did.verdicts == as_in.verdicts
    assert {call: len(made) for call, made in did.requests.items()} == {
        call: len(made) for call, made in as_in.requests.items()
    }
    assert did.memory_kb[1] - did.memory_kb[0] < GROWTH_KB


@pytest.fixture(scope="module")
def peaceful(tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    """The same load with everything in place."""
    folder = tmp_path_factory.mktemp("peaceful")
    collector = Collector(program("otelcol-core"), folder, "core")
    jaeger = Jaeger(program("jaeger"), folder)
    collector.server.set(TRACES_URL=jaeger.otlp, METRICS_URL=jaeger.otlp)
    with jaeger.server, collector.server:
        return Running(collector.otlp, folder).evidence()


def test_a_collector_that_was_never_there(tmp_path: Path, peaceful: Evidence) -> None:
    (port,) = free_ports(1)
    did = Running(f"http://{LOOPBACK}:{port}", tmp_path).evidence()
    undisturbed(did, peaceful)
    assert did.warnings.count(COMPLAINT) == 1


def test_a_collector_that_crashes_and_comes_back(tmp_path: Path, peaceful: Evidence) -> None:
    jaeger = Jaeger(program("jaeger"), tmp_path)
    collector = Collector(program("otelcol-contrib"), tmp_path, "contrib")
    prometheus = Prometheus(program("prometheus"), tmp_path, collector.metrics)
    collector.server.set(
        TRACES_URL=jaeger.otlp, PROMETHEUS_URL=prometheus.write, SAMPLING_WAIT="2s", SAMPLING_PERCENTAGE="100"
    )
    with jaeger.server, prometheus.server, collector.server:
        load = Running(collector.otlp, tmp_path, **IMPATIENT)
        load.wait_until_warm()
        collector.server.kill()
        wait_for("the program notices", lambda: COMPLAINT in load.said())
        time.sleep(OUTAGE)
        collector.server.start()
        did = load.evidence()
        undisturbed(did, peaceful)
        assert did.warnings.count(COMPLAINT) == 1
        # Counters are cumulative: nothing that was counted is lost by an outage.
        attempts = sum(did.attempts().values())
        wait_for("all attempts", lambda: prometheus.total("l0_attempts_total") == attempts)
        # Of spans, the program knows what it lost: what it gave away and what it did not are all that there were.
        sent = prometheus.total('otel_sdk_exporter_span_exported_total{error_type=""}')
        lost = prometheus.total('otel_sdk_exporter_span_exported_total{error_type!=""}')
        assert lost > 0
        assert sent + lost == did.spans()
        last = did.traces[max(did.traces)]
        wait_for("the last trace", lambda: last in jaeger.traces(did.service))
        # Less than was sent, where the Collector still held some when it crashed.
        assert sum(map(len, jaeger.traces(did.service).values())) <= sent
