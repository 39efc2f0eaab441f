"""Instrumentation without a change to the code (`opentelemetry-instrument python app.py`), and any order of imports."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from viewer_client import running_viewer

from l0.simulator.faults import Fault
from l0.simulator.server import Simulator

APP = """
import sys
import openai

client = openai.OpenAI(api_key="k", base_url=sys.argv[1])
stream = client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "hi"}], stream=True)
print("TEXT", "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices))
"""

SPANS = """
import json
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult

class Lines(SpanExporter):
    def export(self, spans):
        for span in spans:
            line = [span.instrumentation_scope.name, span.name, dict(span.attributes).get("l0.outcome")]
            print("SPAN", json.dumps(line))
        return SpanExportResult.SUCCESS

provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(Lines()))
trace.set_tracer_provider(provider)
"""

CLAUDE = """
import anthropic
client = anthropic.Anthropic(api_key="k", base_url=sys.argv[1].removesuffix("/v1"))
for _ in client.messages.create(
    model="claude-test", max_tokens=4096, messages=[{"role": "user", "content": "hi"}], stream=True
):
    pass
"""


def run(
    tmp_path: Path, source: str, sim: Simulator, *before: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run a program against the simulator."""
    app = tmp_path / "app.py"
    app.write_text(source, encoding="utf-8")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    ended = subprocess.run(
        [*before, sys.executable, str(app), sim.openai],
        env=inherited | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return ended


def spans(ended: subprocess.CompletedProcess[str]) -> list[list[str]]:
    """Scope, name and outcome of the spans that a program printed."""
    lines = ended.stdout.splitlines()
    return [json.loads(line.removeprefix("SPAN ")) for line in lines if line.startswith("SPAN ")]


def launcher() -> str:
    """OpenTelemetry's launcher, beside the interpreter."""
    found = Path(sys.executable).with_name("opentelemetry-instrument")
    if not found.exists():
        pytest.skip("opentelemetry-instrument is not installed beside this interpreter")
    return str(found)


def test_the_launcher_alone_makes_calls_reliable(tmp_path: Path, sim: Simulator) -> None:
    """Without opentelemetry-distro there is no tracer provider; the engine runs nevertheless."""
    sim.script(Fault.cut(at_event=1))
    ended = run(tmp_path, APP, sim, launcher())
    assert "TEXT " in ended.stdout
    assert len(sim.requests) == 2


def test_without_the_launcher_the_same_program_fails(tmp_path: Path, sim: Simulator) -> None:
    """The control experiment: without L0 the call of the test above fails."""
    sim.script(Fault.cut(at_event=1))
    with pytest.raises(AssertionError, match="APIConnectionError"):
        run(tmp_path, APP, sim)
    assert len(sim.requests) == 1


def test_the_launcher_with_an_apps_own_provider(tmp_path: Path, sim: Simulator) -> None:
    """The application sets its provider after instrumentation; the first call finds it."""
    ended = run(tmp_path, f"{SPANS}{APP}{CLAUDE}", sim, launcher())
    assert [(name, outcome) for _, name, outcome in spans(ended)] == [("chat gpt-4o", "ok"), ("chat claude-test", "ok")]


@pytest.fixture
def collector() -> Iterator[tuple[str, list[str]]]:
    """A server that accepts every POST and records its path."""
    paths: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            paths.append(self.path)
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", paths
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        ({}, {"/v1/traces", "/v1/metrics"}),
        ({"OTEL_METRICS_EXPORTER": "none"}, {"/v1/traces"}),
        ({"OTEL_TRACES_EXPORTER": "none", "OTEL_METRICS_EXPORTER": "otlp"}, {"/v1/metrics"}),
        ({"OTEL_SDK_DISABLED": "true"}, set()),
    ],
    ids=["endpoint", "no metrics", "no traces", "disabled"],
)
def test_the_launcher_exports_over_http_without_a_distro(
    tmp_path: Path, sim: Simulator, collector: tuple[str, list[str]], chosen: dict[str, str], expected: set[str]
) -> None:
    url, paths = collector
    ended = run(tmp_path, APP, sim, launcher(), OTEL_EXPORTER_OTLP_ENDPOINT=url, **chosen)
    assert set(paths) == expected
    assert ended.stderr == ""


def test_the_launchers_spans_arrive_in_the_viewer(tmp_path: Path, sim: Simulator) -> None:
    sim.script(Fault.cut(at_event=1))
    with running_viewer(tmp_path / "viewer.sqlite") as viewer:
        ended = run(tmp_path, APP, sim, launcher(), OTEL_EXPORTER_OTLP_ENDPOINT=viewer.origin, OTEL_SERVICE_NAME="shop")
        deadline = time.monotonic() + 60
        while not (calls := viewer.get("/api/calls")["calls"]) and time.monotonic() < deadline:
            time.sleep(0.02)  # the viewer answers before it has stored a span
    assert ended.stderr == ""
    (call,) = calls
    assert (call["service"], call["provider"], call["model"]) == ("shop", "openai", "gpt-4o")
    assert (call["outcome"], call["attempts"]) == ("recovered_retry", 2)


def test_endpoint_alone_exports_nothing_without_the_launcher(
    tmp_path: Path, sim: Simulator, collector: tuple[str, list[str]]
) -> None:
    url, paths = collector
    run(tmp_path, f"import l0\nl0.instrument()\n{APP}", sim, OTEL_EXPORTER_OTLP_ENDPOINT=url)
    assert paths == []


def test_the_launcher_names_the_extra_that_the_export_needs(tmp_path: Path, sim: Simulator) -> None:
    before = (
        "import sys\nsys.modules['opentelemetry.exporter.otlp.proto.http.trace_exporter'] = None\n"
        "from opentelemetry.instrumentation import auto_instrumentation\nauto_instrumentation.initialize()\n"
    )
    ended = run(tmp_path, before + APP, sim, OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9")
    assert "TEXT " in ended.stdout
    assert "which needs an extra: pip install 'l0-otel[otlp]'" in ended.stderr


def test_the_launcher_with_the_sdks_configurator(tmp_path: Path, sim: Simulator) -> None:
    """`OTEL_TRACES_EXPORTER=console` and the SDK's own configurator: what opentelemetry-distro would choose."""
    settings = {
        "OTEL_PYTHON_CONFIGURATOR": "configurator",
        "OTEL_TRACES_EXPORTER": "console",
        "OTEL_METRICS_EXPORTER": "none",
        "OTEL_LOGS_EXPORTER": "none",
        "OTEL_PYTHON_DISTRO": "",
    }
    configured = f"import opentelemetry.sdk._configuration as sdk\nsdk._OTelSDKConfigurator().configure()\n{APP}"
    ended = run(tmp_path, configured, sim, launcher(), **settings)
    assert '"name": "chat gpt-4o"' in ended.stdout
    assert '"l0.outcome": "ok"' in ended.stdout


def test_launcher_can_disable_l0(tmp_path: Path, sim: Simulator) -> None:
    """OpenTelemetry's own switch, by the names of our entry points."""
    ended = run(
        tmp_path, f"{SPANS}{APP}", sim, launcher(), OTEL_PYTHON_DISABLED_INSTRUMENTATIONS="l0_openai,l0_anthropic"
    )
    assert spans(ended) == []
    assert "TEXT " in ended.stdout


@pytest.mark.parametrize(
    "source",
    [
        f"import l0\nl0.instrument()\n{SPANS}{APP}{CLAUDE}",
        f"import openai, anthropic\nimport l0\nl0.instrument()\n{SPANS}{APP}{CLAUDE}",
        f"import l0\nl0.instrument()\nl0.uninstrument()\nl0.instrument()\n{SPANS}{APP}{CLAUDE}",
    ],
    ids=["l0 first", "l0 last", "on, off and on before the import"],
)
def test_order_of_imports(tmp_path: Path, sim: Simulator, source: str) -> None:
    ended = run(tmp_path, source, sim)
    assert [outcome for *_, outcome in spans(ended)] == ["ok", "ok"]


def test_off_before_the_import_stays_off(tmp_path: Path, sim: Simulator) -> None:
    ended = run(tmp_path, f"import l0\nl0.instrument()\nl0.uninstrument()\n{SPANS}{APP}", sim)
    assert spans(ended) == []


def test_import_of_l0_loads_no_sdk(tmp_path: Path, sim: Simulator) -> None:
    source = (
        "import sys, l0\nl0.instrument()\n"
        "print('LOADED', [name for name in ('openai', 'anthropic', 'httpx2', 'pydantic') if name in sys.modules])"
    )
    assert "LOADED []" in run(tmp_path, source, sim).stdout


@pytest.mark.parametrize(("action", "times"), [("default", 2), ("error", 1)])
def test_an_sdk_too_old_to_patch_is_logged_and_warned_about(
    tmp_path: Path, sim: Simulator, action: str, times: int
) -> None:
    """The program starts even if its filters turn warnings into errors; then only the log line is left."""
    for place, text in (
        ("openai/__init__.py", "__version__ = '0.28.1'"),
        ("openai-0.28.1.dist-info/METADATA", "Metadata-Version: 2.1\nName: openai\nVersion: 0.28.1\n"),
    ):
        (tmp_path / "old" / place).parent.mkdir(parents=True)
        (tmp_path / "old" / place).write_text(text, encoding="utf-8")
    path = os.pathsep.join([str(tmp_path / "old"), *filter(None, [os.environ.get("PYTHONPATH")])])
    source = "import openai; print('STARTED', openai.__version__)"
    settings = {"PYTHONPATH": path, "PYTHONWARNINGS": f"{action}::RuntimeWarning"}
    ended = run(tmp_path, source, sim, launcher(), **settings)
    assert "STARTED 0.28.1" in ended.stdout
    message = "l0 does not patch openai 0.28.1: supported are openai >= 1.60, < 4"
    assert ended.stderr.count(message) == times, ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_program_that_leaves_a_stream_open_ends_quietly(tmp_path: Path, sim: Simulator) -> None:
    """Wrappers of streams tend to warn or crash when they close at interpreter shutdown."""
    source = (
        f"import l0\nl0.instrument(l0.Policy.interactive())\n{APP}"
        "stream = client.chat.completions.create(\n"
        "    model='gpt-4o', messages=[{'role': 'user', 'content': 'hi'}], stream=True\n)\nnext(stream)\n"
    )
    sim.script(None, Fault.slow_drip(interval=0.01))
    assert run(tmp_path, source, sim).stderr == ""


def test_bad_variables_warn_and_leave_the_program_protected(tmp_path: Path, sim: Simulator) -> None:
    sim.script(Fault.cut(at_event=1))
    ended = run(tmp_path, APP, sim, launcher(), L0_RETRY_ATEMPTS="3", L0_TIMEOUT_TOTAL="soon", L0_MODE="active")
    assert "TEXT " in ended.stdout
    assert len(sim.requests) == 2
    lines = [line for line in ended.stderr.splitlines() if line.startswith("L0_")]
    assert lines == [
        "L0_RETRY_ATEMPTS: got '3', allowed: no such variable; did you mean L0_RETRY_ATTEMPTS?; it is ignored",
        "L0_TIMEOUT_TOTAL: got 'soon', allowed: a number, or none; it is ignored",
    ]
