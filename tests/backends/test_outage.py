"""A Collector that crashes and comes back, and one that was never there: no call is disturbed, losses are known."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
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
SHORT = {"OTEL_BSP_MAX_QUEUE_SIZE": "16", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "8"}
"""A queue that an outage fills at once: what it does not hold is dropped, and never waited for."""
FULL = "Queue full"
SENT = 'otel_sdk_exporter_span_exported_total{error_type=""}'
LOST = 'otel_sdk_exporter_span_exported_total{error_type!=""}'
DROPPED = 'otel_sdk_processor_span_processed_total{error_type!=""}'
"""Span counts of OpenTelemetry's SDK: exported, failed after retries, and dropped because the queue was full."""
GROWTH_KB = 64 * 1024
"""The memory that a load may use beyond its warm state, including export queues that nothing empties."""


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


@contextmanager
def _backends(folder: Path, *, there: bool) -> Iterator[tuple[Jaeger, Prometheus, Collector]]:
    """Start the back ends of a Collector, and a Collector that is ``there`` or not started yet."""
    jaeger = Jaeger(program("jaeger"), folder)
    collector = Collector(program("otelcol-contrib"), folder, "contrib")
    prometheus = Prometheus(program("prometheus"), folder, collector.metrics)
    collector.server.set(
        TRACES_URL=jaeger.otlp, PROMETHEUS_URL=prometheus.write, SAMPLING_WAIT="2s", SAMPLING_PERCENTAGE="100"
    )
    with jaeger.server, prometheus.server, ExitStack() as ending:
        ending.callback(collector.server.stop)
        if there:
            collector.server.start()
        yield jaeger, prometheus, collector


def test_a_collector_that_crashes_and_comes_back(tmp_path: Path, peaceful: Evidence) -> None:
    with _backends(tmp_path, there=True) as (jaeger, prometheus, collector):
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
        sent, lost = prometheus.total(SENT), prometheus.total(LOST)
        assert lost > 0
        assert sent + lost == did.spans()
        last = did.traces[max(did.traces)]
        wait_for("the last trace", lambda: last in jaeger.traces(did.service))
        # Less than was sent, if the Collector still held some when it crashed.
        assert sum(map(len, jaeger.traces(did.service).values())) <= sent


def test_a_collector_that_comes_late_to_a_program_with_a_short_queue(tmp_path: Path, peaceful: Evidence) -> None:
    with _backends(tmp_path, there=False) as (jaeger, prometheus, collector):
        load = Running(collector.otlp, tmp_path, **IMPATIENT, **SHORT)
        load.wait_until_warm()
        wait_for("the program notices", lambda: COMPLAINT in load.said())
        time.sleep(OUTAGE)
        collector.server.start()
        did = load.evidence()
        undisturbed(did, peaceful)
        assert did.warnings.count(COMPLAINT) == 1
        # OpenTelemetry's own words, which it repeats when another 20 seconds of the clock have begun.
        assert 1 <= did.warnings.count(FULL) <= 1 + did.ended // 20 - did.began // 20
        attempts = sum(did.attempts().values())
        wait_for("all attempts", lambda: prometheus.total("l0_attempts_total") == attempts)
        # What the queue had no room for is counted as well: no span is missing in the sum.
        sent, lost, dropped = prometheus.total(SENT), prometheus.total(LOST), prometheus.total(DROPPED)
        assert dropped > 0
        assert sent + lost + dropped == did.spans()
        wait_for("what was sent", lambda: sum(map(len, jaeger.traces(did.service).values())) == sent)
