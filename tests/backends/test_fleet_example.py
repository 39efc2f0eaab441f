"""The example of a fleet behind the Collector: the calls of all its processes are shown and counted."""

from __future__ import annotations

from pathlib import Path

from backends import Collector, Prometheus, Vmagent
from examples_kit import run
from found import program
from servers import wait_for
from viewer_client import running_viewer

PROCESSES, CALLS = 4, 100
COUNTER = "gen_ai_client_operation_duration_seconds_count"
"""What the dashboards count calls by."""
INSTANCE = "service_instance_id"
"""The label of a process. Prometheus' own receiver for OTLP calls it `instance`, vmagent does not."""


def test_calls_of_all_processes_arrive(tmp_path: Path) -> None:
    collector = Collector(program("otelcol-core"), tmp_path, "core")
    prometheus = Prometheus(program("prometheus"), tmp_path, collector.metrics)
    vmagent = Vmagent(program("vmagent"), tmp_path, prometheus.write)
    with running_viewer(tmp_path / "view.db") as viewer, prometheus.server, vmagent.server:
        collector.server.set(TRACES_URL=viewer.origin, METRICS_URL=vmagent.otlp)
        with collector.server:
            ended = run("fleet.py", OTEL_EXPORTER_OTLP_ENDPOINT=collector.otlp)
            assert ended.returncode == 0, ended.stderr
            wait_for("all calls are shown", lambda: viewer.get("/api/overview")["totals"]["calls"] == CALLS)
            wait_for("all calls are counted", lambda: prometheus.total(COUNTER) == CALLS)
            assert len(prometheus.sums(COUNTER, INSTANCE)) == PROCESSES
