"""A server that ends in an orderly way at SIGTERM keeps SLO events, spans, metrics and the recording of its last call.

uvicorn's command line imports the application while its own signal handlers are installed, `uvicorn.run` afterwards.
"""

import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from makers import free_port
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from otlp_receiver import Received, otlp_receiver

from l0.model.call import Outcome
from l0.recording.recording import Recording
from l0.shared_state.slo_storage import Storage
from l0.simulator.faults import Fault
from l0.simulator.server import Simulator
from l0.telemetry import names

UVICORN = ["-m", "uvicorn", "--port", "{port}", "--log-level", "warning", "--lifespan", "off"]
GUNICORN = ["-m", "gunicorn", "--threads", "4", "--log-level", "warning", "--bind", "127.0.0.1:{port}"]
SERVERS = {
    "gunicorn": [*GUNICORN, "served_app:wsgi"],
    "gunicorn with 2 workers": [*GUNICORN, "--workers", "2", "served_app:wsgi"],
    "uvicorn": [*UVICORN, "served_app:asgi"],
    "uvicorn with 2 workers": [*UVICORN, "--workers", "2", "served_app:asgi"],
    "uvicorn.run": ["served_app.py", "{port}"],
}
LIMIT_S = 120.0


def ask(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=LIMIT_S) as answer:
        body: bytes = answer.read()
        return body


def up(url: str, server: subprocess.Popen[bytes]) -> None:
    """Wait until it serves; that is its first request."""
    deadline = time.monotonic() + LIMIT_S
    while time.monotonic() < deadline:
        assert server.poll() is None, "the server ended"
        try:
            assert ask(url).endswith(b"ok")
            return
        except urllib.error.URLError:
            time.sleep(0.05)
    raise AssertionError("the server does not come up")


def stored(path: Path) -> int:
    """Calls that an objective knows of."""
    return sum(
        bucket.count.total
        for (slo, *_), bucket in Storage(path).load()
        if slo.startswith("availability") and bucket.width == 7200
    )


def exported(received: Received) -> tuple[int, int]:
    """Return the spans of calls that were exported, and the calls that metrics have counted in all processes."""
    spans, counts = 0, dict[int, int]()
    for path, _, body in received:
        if path == "/v1/traces":
            traces = ExportTraceServiceRequest.FromString(body)
            spans += sum(
                span.kind == span.SPAN_KIND_CLIENT
                for resource in traces.resource_spans
                for scope in resource.scope_spans
                for span in scope.spans
            )
        elif path == "/v1/metrics":
            for resource in ExportMetricsServiceRequest.FromString(body).resource_metrics:
                for scope in resource.scope_metrics:
                    for metric in scope.metrics:
                        if metric.name == names.CURRENT.duration.name:
                            for point in metric.histogram.data_points:  # cumulative, since the start of its process
                                counts[point.start_time_unix_nano] = point.count
    return spans, sum(counts.values())


@pytest.fixture
def collector() -> Iterator[tuple[str, Received]]:
    with otlp_receiver() as (url, received):
        yield url, received


def environment(sim: Simulator, collector: str, folder: Path) -> dict[str, str]:
    """Nothing is exported because of its age."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "L0_"))}
    never = {"OTEL_BSP_SCHEDULE_DELAY": "600000", "OTEL_METRIC_EXPORT_INTERVAL": "600000"}
    paths = {"SLO_STORE": str(folder / "slo.db"), "RECORDING": str(folder / "calls")}
    return {**kept, **never, **paths, "PROVIDER": sim.openai, "COLLECTOR": collector}


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGTERM")
@pytest.mark.parametrize("name", SERVERS)
def test_call_that_ends_after_sigterm_is_kept_whole(
    sim: Simulator, tmp_path: Path, collector: tuple[str, Received], name: str
) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}/"
    server = subprocess.Popen(
        [sys.executable, *(part.format(port=port) for part in SERVERS[name])],
        cwd=Path(__file__).parent,
        env=environment(sim, collector[0], tmp_path),
    )
    try:
        up(url, server)
        sim.reset()
        sim.script(Fault.stall(at_event=3, seconds=1.0))
        last = threading.Thread(target=ask, args=(url,))
        last.start()
        while not sim.requests:
            time.sleep(0.01)
        server.send_signal(signal.SIGTERM)
        last.join(LIMIT_S)
        server.wait(LIMIT_S)
    finally:
        if server.poll() is None:
            server.kill()
            server.wait()
    assert stored(tmp_path / "slo.db") == 2
    assert exported(collector[1]) == (2, 2)
    with Recording.open(tmp_path / "calls") as recording:
        assert [call.outcome for call in recording] == [Outcome.OK] * 2


PROGRAM = """
import os, signal, sys
import served_app

served_app.wsgi({}, lambda *_: None)
os.kill(os.getpid(), signal.SIGTERM)
raise AssertionError("the signal did not end the program")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGTERM")
def test_program_that_sigterm_kills_keeps_its_calls(
    sim: Simulator, tmp_path: Path, collector: tuple[str, Received]
) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=Path(__file__).parent,
        env=environment(sim, collector[0], tmp_path),
        timeout=LIMIT_S,
        check=False,
    )
    assert ended.returncode == -signal.SIGTERM
    assert exported(collector[1]) == (1, 1)
    with Recording.open(tmp_path / "calls") as recording:
        assert [call.outcome for call in recording] == [Outcome.OK]
