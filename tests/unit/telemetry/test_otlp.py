"""Set-up by one argument. Global providers are set once a process, so each case gets its own process."""

import os
import socket
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import opentelemetry.sdk._logs
import pytest

from l0.model.policy import PolicyError
from l0.telemetry import otlp

HANGS = 120.0
"""Seconds that only a hang takes."""
CLOSED = "http://127.0.0.1:9"
EMIT = """
from opentelemetry import trace, metrics
trace.get_tracer("app").start_span("work").end()
metrics.get_meter("app").create_counter("done").add(1)
"""


def run(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    start = (
        "import logging\nlogging.basicConfig(format='LOG %(name)s %(message)s')\nfrom l0.telemetry.otlp import setup\n"
    )
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", start + code],
        capture_output=True,
        text=True,
        timeout=HANGS,
        check=False,
        env={"PATH": "", **environment},
    )


@pytest.fixture
def collector():
    """A server that takes everything, and notes path, content type and body."""
    seen = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            seen.append((self.path, self.headers["content-type"], body))
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_args):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", seen
        server.shutdown()
        thread.join()


def test_spans_and_metrics_reach_the_collector_when_the_program_ends(collector):
    url, seen = collector
    done = run(f"setup({url!r})\n{EMIT}", OTEL_SERVICE_NAME="shop")
    assert (done.returncode, done.stderr) == (0, "")
    assert {path for path, _, _ in seen} == {"/v1/traces", "/v1/metrics"}
    assert {kind for _, kind, _ in seen} == {"application/x-protobuf"}
    bodies = {path: body for path, _, body in seen}
    assert b"work" in bodies["/v1/traces"]
    assert b"done" in bodies["/v1/metrics"]
    assert all(b"shop" in body for body in bodies.values())


def test_otlp_true_uses_the_environment(collector):
    url, seen = collector
    done = run(f"setup(True)\n{EMIT}", OTEL_EXPORTER_OTLP_ENDPOINT=url)
    assert (done.returncode, done.stderr) == (0, "")
    assert {path for path, _, _ in seen} == {"/v1/traces", "/v1/metrics"}


def test_shutdown_flushes_and_may_be_called_again(collector):
    url, seen = collector
    done = run(f"end = setup({url + '/'!r})\n{EMIT}\nend()\nend()\nprint('flushed')")
    assert (done.returncode, done.stdout, done.stderr) == (0, "flushed\n", "")
    assert {path for path, _, _ in seen} == {"/v1/traces", "/v1/metrics"}


@pytest.mark.skipif(
    not hasattr(opentelemetry.sdk._logs, "ReadWriteLogRecord"),
    reason="the exporter of this OpenTelemetry wants its own kind of log record: content events need a newer one",
)
def test_content_events_are_exported_on_request(collector):
    url, seen = collector
    code = f"""
setup({url!r})
from opentelemetry._logs import LogRecord, get_logger
get_logger("app").emit(LogRecord(event_name="said"))
"""
    done = run(code, OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT="EVENT_ONLY")
    assert (done.returncode, done.stderr) == (0, "")
    assert "/v1/logs" in {path for path, _, _ in seen}


def test_the_apps_own_providers_are_kept():
    code = f"""
import warnings
from opentelemetry import trace, metrics
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.metrics import MeterProvider
mine = TracerProvider(), MeterProvider()
trace.set_tracer_provider(mine[0]); metrics.set_meter_provider(mine[1])
with warnings.catch_warnings(action="ignore"):
    setup({CLOSED!r})
print((trace.get_tracer_provider(), metrics.get_meter_provider()) == mine)
"""
    done = run(code)
    assert (done.returncode, done.stdout) == (0, "True\n"), done.stderr


def test_false_sets_nothing_up():
    done = run(
        "end = setup(False)\nend()\nfrom opentelemetry import trace\nprint(type(trace.get_tracer_provider()).__name__)"
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "ProxyTracerProvider\n", "")


def test_an_unreachable_collector_is_one_warning_and_holds_nothing_up():
    code = f"""
from l0.telemetry import otlp
otlp.GRACE = 0.2
setup({CLOSED!r})
{EMIT}
print("goes on")
"""
    done = run(code)
    assert (done.returncode, done.stdout) == (0, "goes on\n")
    warnings = [line for line in done.stderr.splitlines() if line.startswith("LOG")]
    assert len(warnings) == 1
    assert CLOSED in warnings[0]


def test_otlp_without_the_sdk_names_the_extra():
    done = run("import sys\nsys.modules['opentelemetry.sdk'] = None\nsetup(True)")
    assert done.returncode == 1
    assert "pip install 'l0-otel[otlp]'" in done.stderr


@pytest.mark.parametrize("endpoint", ["localhost:4318", "grpc://x:4317", "", 4318])
def test_otlp_endpoint_must_be_a_url(endpoint):
    with pytest.raises(PolicyError, match=r"otlp: got .* allowed: the URL of an OTLP/HTTP collector"):
        otlp.setup(endpoint)


OWN = """
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import TracerProvider
trace.set_tracer_provider(TracerProvider(shutdown_on_exit=False))
"""
OWN_METRICS = "metrics.set_meter_provider(MeterProvider(shutdown_on_exit=False))\n"


@pytest.mark.parametrize(
    ("before", "warned"),
    [
        ("", ""),
        ("setup({url!r})", ""),
        ("setup({url!r} + '/')", ""),
        ("setup('http://127.0.0.1:1')", "otlp={url!r} has no effect: "),
        ("setup(True)", "otlp={url!r} has no effect: "),
        (OWN + OWN_METRICS, "otlp={url!r} has no effect: L0 keeps the TracerProvider and MeterProvider that"),
        (OWN, ""),
    ],
    ids=["once", "twice", "with a slash", "elsewhere", "by the environment", "own providers", "own spans"],
)
def test_otlp_that_changes_nothing_warns_at_the_line_of_the_call(collector, before, warned):
    url, _ = collector
    call = f"exec(compile({f'setup({url!r})'!r}, 'app.py', 'exec'))"
    code = f"{before.format(url=url)}\nwarnings.simplefilter('always')\n{call}"
    done = run(f"import warnings\n{code}")
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stderr.splitlines() if "RuntimeWarning" in line]
    assert len(lines) == bool(warned)
    assert all(line.startswith(f"app.py:1: RuntimeWarning: {warned.format(url=url)}") for line in lines)


def test_nothing_of_the_sdk_is_imported_before():
    done = run("import sys\nimport l0.telemetry.spans, l0.telemetry.metrics\nprint('opentelemetry.sdk' in sys.modules)")
    assert (done.returncode, done.stdout) == (0, "False\n")


@pytest.fixture
def hanging():
    """A collector that takes connections, and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def check_program_ends(code: str) -> None:
    """Run a program whose exporter waits for an hour: without the bound of `otlp.GRACE` it does not end in time."""
    done = run(code, OTEL_EXPORTER_OTLP_TIMEOUT="3600", OTEL_BSP_EXPORT_TIMEOUT="3600000")
    assert done.returncode == 0, done.stderr
    assert "unsent data is lost" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_collector_that_hangs_does_not_hold_the_program(hanging):
    assert otlp.GRACE <= 3.0  # the promise, in seconds
    check_program_ends(f"setup({hanging!r})\n{EMIT}")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_nor_does_it_hold_a_forked_child(hanging):
    code = f"""
import os, warnings
warnings.simplefilter("ignore")
setup({hanging!r})
child = os.fork()
if child:
    status = os.waitpid(child, 0)[1]
    assert os.waitstatus_to_exitcode(status) == 0, status
    os._exit(0)
{EMIT}
"""
    check_program_ends(code)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_flushes(collector):
    url, seen = collector
    code = f"""
import os, warnings
warnings.simplefilter("ignore")
setup({url!r})
child = os.fork()
if child:
    os.waitpid(child, 0)
    os._exit(0)
from opentelemetry import trace
trace.get_tracer("app").start_span("of the child").end()
"""
    assert run(code).returncode == 0
    assert any(b"of the child" in body for _, _, body in seen)
