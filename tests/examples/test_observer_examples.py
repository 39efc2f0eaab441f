"""The programs in examples/, run as a user runs them. What they report is received over loopback."""

import gzip
import json
import os
import socket
import subprocess
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from l0.simulator.answers import Answer
from l0.simulator.faults import Fault as F
from l0.simulator.ledger import Reply
from l0.simulator.server import Simulator

EXAMPLES = Path(__file__).parents[2] / "examples"
PARTIAL = "canary of the answer"
BROKEN = Reply(answer=Answer(text=f"{PARTIAL} and more words that never arrive"), fault=F.cut(at_event=6))


def run(name: str, sim: Simulator, **more: str) -> subprocess.CompletedProcess[str]:
    left_out = ("OTEL_", "L0_", "SENTRY_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(left_out)}
    ended = subprocess.run(
        [sys.executable, str(EXAMPLES / name)],
        env={**kept, "OPENAI_API_KEY": "k", "OPENAI_BASE_URL": sim.openai, **more},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return ended


class Envelopes:
    """A server that receives Sentry's envelopes."""

    def __init__(self) -> None:
        self.raw: list[bytes] = []

    def receive(self, body: bytes, encoding: str | None) -> None:
        self.raw.append({"gzip": gzip.decompress, "deflate": zlib.decompress}.get(encoding or "", bytes)(body))

    @property
    def events(self) -> list[dict[str, Any]]:
        """The events of all envelopes: an envelope is lines of JSON, each item a header and a payload."""
        found = []
        for raw in self.raw:
            lines = [json.loads(line) for line in raw.splitlines() if line.strip()]
            found += [body for head, body in pairwise(lines) if head.get("type") == "event"]
        return found


@contextmanager
def sentry() -> Iterator[tuple[str, Envelopes]]:
    received = Envelopes()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            received.receive(body, self.headers.get("content-encoding"))
            self.send_response(200)
            self.send_header("content-length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://public@127.0.0.1:{server.server_port}/1", received
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_sentry_gets_a_breadcrumb_per_attempt_and_the_failure(sim: Simulator) -> None:
    pytest.importorskip("sentry_sdk", reason="needs sentry-sdk: make setup")
    sim.script(F.status(503), BROKEN)
    with sentry() as (dsn, received):
        ended = run("sentry_observer.py", sim, SENTRY_DSN=dsn)
    assert "no answer: " in ended.stderr
    assert len(sim.requests) == 2
    (event,) = received.events
    (error,) = event["exception"]["values"]
    assert error["type"] == "incomplete_read"
    assert error["value"].startswith("incomplete_read: the connection ended within the response")
    assert "stacktrace" not in error
    assert event["level"] == "error"
    assert event["tags"]["llm.model"] == "gpt-4o-mini"
    assert event["contexts"]["llm_call"]["attempts"] == 2
    assert event["contexts"]["llm_call"]["policy_field"] == "Policy.resume"
    crumbs = [crumb for crumb in event["breadcrumbs"]["values"] if crumb["category"] == "llm"]
    assert [crumb["message"].partition(" (")[0] for crumb in crumbs] == [
        "openai chat gpt-4o-mini: attempt 1 failed: unavailable status 503 server_error: the provider is not available",
        "openai chat gpt-4o-mini: attempt 2 failed: incomplete_read: the connection ended within the response",
    ]
    assert [(crumb["data"]["status"], crumb["data"]["action"]) for crumb in crumbs] == [(503, "retry"), (200, "raise")]
    assert PARTIAL in ended.stdout
    sent = b"".join(received.raw)
    assert b"canary" not in sent
    assert b"sky" not in sent


def test_sentry_gets_no_error_for_a_recovered_call(sim: Simulator) -> None:
    pytest.importorskip("sentry_sdk", reason="needs sentry-sdk: make setup")
    sim.script(F.status(503))
    with sentry() as (dsn, received):
        ended = run("sentry_observer.py", sim, SENTRY_DSN=dsn)
    assert ended.stdout.strip()
    assert ended.stderr == ""
    assert received.events == []


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        (
            (F.cut(at_event=1),),
            ["attempts_failed.incomplete_read:1|c", "recovered_retry:1|c", "first_chunk:"],
        ),
        (
            (F.status(401),),
            ["attempts_failed.authentication:1|c", "failed:1|c"],
        ),
    ],
    ids=["recovered", "failed"],
)
def test_statsd_gets_the_counts(sim: Simulator, script: tuple[Any, ...], expected: list[str]) -> None:
    sim.script(*script)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as statsd:
        statsd.bind(("127.0.0.1", 0))
        statsd.settimeout(10)
        run("statsd_observer.py", sim, STATSD_HOST="127.0.0.1", STATSD_PORT=str(statsd.getsockname()[1]))
        received = [statsd.recv(512).decode() for _ in expected]
        statsd.setblocking(False)
        with pytest.raises(BlockingIOError):
            statsd.recv(512)
    names = [metric.removeprefix("l0.openai.gpt-4o-mini.") for metric in received]
    assert [name.startswith(want) for name, want in zip(names, expected, strict=True)] == [True] * len(expected), names


def test_statsd_that_is_not_there_changes_nothing(sim: Simulator) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    ended = run("statsd_observer.py", sim, STATSD_HOST="127.0.0.1", STATSD_PORT=port)
    assert ended.stdout.strip()
    assert ended.stderr == ""
