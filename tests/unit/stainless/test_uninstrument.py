"""After `uninstrument()` the process is as before `instrument()`, whatever its options and its calls were."""

import inspect
import io
import logging
import signal
import sys
import threading
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest

import l0
from l0.config import CONFIG
from l0.simulator.faults import Fault
from l0.simulator.server import Simulator
from l0.stainless.sdk_instrumentor import PATCHING
from l0.telemetry.log_rate_limiter import LINES

PATCHED = [
    kind
    for sdk in (openai, anthropic)
    for kind in (sdk._base_client.SyncAPIClient, sdk._base_client.AsyncAPIClient, sdk.Stream, sdk.AsyncStream)
]
FINAL = {"otlp"}
"""Keywords that cannot be undone: OpenTelemetry accepts its providers only once."""
OPTIONS: dict[str, Any] = {
    "policy": l0.Policy(truncation="off"),
    "observers": [lambda call, event: None],
    "direct": False,
    "timeline": True,
    "console": True,
    "summary": True,
    "record": "recordings",
    "record_content": True,
    "provider_names": {"localhost:1": "local"},
    "fleet": "redis://127.0.0.1:1/0",
}
ENVIRONMENT = {
    "L0_CONSOLE": "true",
    "L0_DIRECT": "false",
    "L0_LOG": "calls.log",
    "L0_PROVIDER_NAMES": "localhost:1=local",
    "L0_RECORD": "recordings",
    "L0_TIMELINE": "true",
    "L0_TRUNCATION": "off",
}


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Terminal]:
    """Yield what a handler of the application, which writes to a terminal, has written."""
    monkeypatch.chdir(tmp_path)
    written = Terminal()
    handler = logging.StreamHandler(written)
    logging.getLogger("l0").addHandler(handler)
    l0.uninstrument()
    yield written
    l0.uninstrument()
    logging.getLogger("l0").removeHandler(handler)


def make_calls(server: Simulator) -> None:
    """Make a call that succeeds, and more failing ones than the log shows."""
    server.reset()
    server.script(None, *[Fault.status(503)] * (LINES + 1))
    request: Any = {"model": "m", "messages": [{"role": "user", "content": "hi"}], "stream": True}
    with openai.OpenAI(api_key="k", base_url=server.openai, max_retries=0) as client:
        assert list(client.chat.completions.create(**request))
        for _ in range(LINES + 1):
            with pytest.raises(openai.InternalServerError):
                client.chat.completions.create(**request)


def state() -> dict[str, Any]:
    """Return what a program can see of L0."""
    handlers = [*logging.getLogger("l0").handlers, *logging.getLogger().handlers, logging.lastResort]
    with l0.policy() as policy:
        pass
    return {
        "functions": [vars(kind).copy() for kind in PATCHED],
        "patches": dict(PATCHING),
        "imports": [*sys.meta_path],
        "threads": {thread.name for thread in threading.enumerate() if thread.name.startswith("l0-")},
        "signals": [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)],
        "log filters": [[*handler.filters] for handler in handlers if handler is not None],
        "policy": policy,
        "observed": CONFIG.listening,
        "console": CONFIG.console,
        "direct": CONFIG.direct,
        "timeline": CONFIG.timeline,
        "recording": CONFIG.recording,
        "provider": CONFIG.provider_name("openai", "localhost", 1),
        "fleet": (CONFIG.fleet, CONFIG.shared_state.fleet),
        "environment": CONFIG.environment,
    }


def test_every_keyword_is_undone_or_final() -> None:
    assert inspect.signature(l0.instrument).parameters.keys() == OPTIONS.keys() | FINAL


@pytest.mark.parametrize("keyword", OPTIONS)
def test_a_keyword_leaves_nothing_behind(server: Simulator, lines: Terminal, keyword: str) -> None:
    if keyword == "fleet" and find_spec("redis") is None:
        pytest.skip("needs redis")
    options = {keyword: OPTIONS[keyword]} | ({"record": "recordings"} if keyword == "record_content" else {})
    before = state()
    l0.instrument(**options)
    make_calls(server)
    l0.uninstrument()
    assert state() == before


def test_the_environment_leaves_nothing_behind(
    server: Simulator, lines: Terminal, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    before = state()
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    l0.instrument()
    make_calls(server)
    assert CONFIG.environment.problems == ()
    l0.uninstrument()
    assert state() == before
    logged = (tmp_path / "calls.log").read_text()
    for name in ENVIRONMENT:
        monkeypatch.delenv(name)
    l0.instrument()
    make_calls(server)
    assert (tmp_path / "calls.log").read_text() == logged


def test_the_limit_of_log_lines_begins_again(server: Simulator, lines: Terminal) -> None:
    l0.instrument()
    make_calls(server)
    first = lines.getvalue().splitlines()
    l0.uninstrument()
    *_, summary = lines.getvalue().splitlines()
    assert (len(first), summary.startswith("... and 1 more within")) == (LINES, True)
    l0.instrument()
    make_calls(server)
    assert len(lines.getvalue().splitlines()) == 2 * LINES + 1
