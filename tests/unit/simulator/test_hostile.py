"""Hostile clients: a wrong request gets an error answer, and none stops the simulator from serving others."""

import contextlib
import http.client
import json
import signal
import socket
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from l0.simulator.server import Simulator
from l0.testing import simulator

CHAT = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
HANGS = 120.0
"""Time limit in seconds that only a hanging simulator exceeds."""


def connected(sim: Simulator) -> socket.socket:
    return socket.create_connection(("127.0.0.1", int(sim.origin.rsplit(":", 1)[1])), timeout=HANGS)


def status_of(sim: Simulator, sent: bytes) -> tuple[int, Any]:
    """Return the status and JSON body of the first answer to these bytes."""
    with connected(sim) as client:
        with contextlib.suppress(ConnectionError):
            client.sendall(sent)
        response = http.client.HTTPResponse(client)
        response.begin()
        return response.status, json.loads(response.read())


def post(path: str, body: Any, **headers: str) -> bytes:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return f"POST {path} HTTP/1.1\r\ncontent-length: {len(raw)}\r\n{lines}\r\n".encode() + raw


def assert_serves(sim: Simulator) -> None:
    """Assert that another client gets its answer."""
    status, body = status_of(sim, post("/v1/chat/completions", CHAT))
    assert (status, bool(body["choices"])) == (200, True)


def str_of(value: object) -> str:
    return repr(value)[-60:]


CHUNKED = b"POST /v1/chat/completions HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n"
DEEP = b'{"model":"m","messages":' + b"[" * 100_000 + b"]" * 100_000 + b"}"


def nested(depth: int) -> Any:
    value: Any = "hi"
    for _ in range(depth):
        value = {"content": [value]}
    return value


def doubling(levels: int) -> dict[str, Any]:
    """Return a short schema whose complete answer has two to the power of ``levels`` values."""

    def pair(level: int) -> dict[str, Any]:
        return {"type": "object", "properties": {name: {"$ref": f"#/$defs/{level + 1}"} for name in "ab"}}

    return {"$ref": "#/$defs/0", "$defs": {str(level): pair(level) for level in range(levels)}}


def asking_for(schema: Any) -> dict[str, Any]:
    return {**CHAT, "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": schema}}}


MESSAGES = {"model": "c", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (CHUNKED + b"-6\r\n{}\r\n0\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nx: " + b"y" * 200_000, 431),
        (b"GET / HTTP/1.1\r\n" + b"x: y\r\n" * 50_000, 431),
        (b"POST /v1/chat/completions HTTP/1.1\r\ncontent-length: 99999999999\r\n\r\n", 413),
        (post("/v1/chat/completions", DEEP), 400),
        (post("/v1/chat/completions", {**CHAT, "messages": nested(400)}), None),
        (post("/v1/chat/completions", b"\xff\xfe{}"), 400),
        (post("/v1/chat/completions", b'{"model": "m", "messages": [], "n": NaN}'), 400),
        *((post("/v1/chat/completions", {**CHAT, "n": n}), 400) for n in (1_000_000, -1, 0, "2", [1], True, 1.5)),
        (post("/v1/completions", {"model": "m", "prompt": "p", "n": 1_000_000}), 400),
        (post("/v1/embeddings", {"model": "m", "input": "p", "dimensions": 10**9}), 400),
        (post("/v1/embeddings", {"model": "m", "input": ["p"] * 100_000}), 400),
        (post("/v1/chat/completions", {**CHAT, "model": "m" * 100_000, "stream": True}), 400),
        (post("/v1/chat/completions", {**CHAT, "stream_options": [1]}), 400),
        (post("/v1/chat/completions", {**CHAT, "tools": [3], "tool_choice": "required"}), 400),
        (post("/v1/responses", {"model": "m", "text": "no"}), 400),
        (post("/v1/messages", {**MESSAGES, "output_config": [1]}), 400),
        (post("/v1/messages/count_tokens", {"model": "c", "messages": nested(400)}), None),
        (post("/v1/chat/completions", asking_for(doubling(40))), 400),
        (post("/v1/chat/completions", asking_for({"$ref": "#/a", "a": {"$ref": "#/a"}})), 400),
        (post("/v1/chat/completions", asking_for({"type": "array", "minItems": 10**9})), 400),
        (post("/v1/chat/completions", {**CHAT, "n": 128}, x_l0_simulate="tokens 1000000"), 400),
        *(
            (post("/v1/chat/completions", CHAT, x_l0_simulate=text), 400)
            for text in (
                "stall seconds=nan",
                "stall seconds=-1",
                "stall seconds=inf",
                "cut at_event=-3",
                "pings count=99999999999",
                "lifecycle-frames 99999999999",
                "tokens -5",
                "tokens 9999999",
                "|".join(["bytewise"] * 1_000),
                "x" * 30_000,
            )
        ),
        (post("/v1/chat/completions", CHAT, host="evil.example"), 421),
        (post("/v1/messages", MESSAGES, host="evil.example:80"), 421),
        (b"GET /v1/responses/resp_1?stream=true&starting_after=%C2%B2 HTTP/1.1\r\n\r\n", 404),
    ],
    ids=str_of,
)
def test_hostile_request_gets_an_error_answer(sim: Simulator, sent: bytes, status: int | None) -> None:
    found, body = status_of(sim, sent)
    assert found == status or (status is None and found in (200, 400, 500))
    assert found == 200 or body["error"]["message"]
    assert_serves(sim)


def test_lone_surrogate_is_answered_with_its_escape(sim: Simulator) -> None:
    for stream in (False, True):
        body = b'{"model": "m\\ud800", "messages": [], "stream": %b}' % (b"true" if stream else b"false")
        assert rb'"model":"m\ud800"' in exchange_whole(sim, post("/v1/chat/completions", body)).replace(b": ", b":")


def exchange_whole(sim: Simulator, sent: bytes) -> bytes:
    with connected(sim) as client:
        client.sendall(sent)
        response = http.client.HTTPResponse(client)
        response.begin()
        return response.read()


def test_prompt_with_many_openings_is_scanned_once(sim: Simulator) -> None:
    prompt = "[[simulate:" * 200_000 + " " * 200_000
    assert status_of(sim, post("/v1/chat/completions", {**CHAT, "messages": [{"content": prompt}]}))[0] == 200


def test_fault_headers_cannot_inject_a_header(sim: Simulator) -> None:
    prompt = "[[simulate: status 503 'x=a\r\ny: b']]"
    status, body = status_of(sim, post("/v1/chat/completions", {**CHAT, "messages": [{"content": prompt}]}))
    assert (status, "headers" in body["error"]["message"]) == (400, True)


def test_request_that_never_ends_times_out(sim: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("l0.simulator.connection.REQUEST_SECONDS", 0.05)
    for begun in (b"POST /v1/chat", CHUNKED + b"5\r\n{", b"POST /x HTTP/1.1\r\ncontent-length: 9\r\n\r\n{"):
        status, body = status_of(sim, begun)
        assert (status, "not complete after 0.05 s" in body["error"]["message"]) == (408, True)


def test_failed_answer_does_not_affect_other_clients(
    sim: Simulator, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> Any:
        raise ZeroDivisionError

    with monkeypatch.context() as patched:
        patched.setattr("l0.simulator.server.respond", broken)
        status, body = status_of(sim, post("/v1/chat/completions", CHAT))
    assert (status, body["error"]["message"]) == (500, "The simulator cannot answer this request: ZeroDivisionError.")
    assert "ZeroDivisionError" in caplog.text
    assert sim.wait_idle(120)
    assert_serves(sim)


def test_simulator_stops_while_a_client_does_not_read() -> None:
    with contextlib.ExitStack() as clients, simulator() as sim:
        client = clients.enter_context(connected(sim))
        client.sendall(post("/v1/chat/completions", {**CHAT, "stream": True}, x_l0_simulate="tokens 1000000"))
        assert client.recv(1)


@pytest.fixture(scope="module")
def shared() -> Iterator[Simulator]:
    with simulator() as running:
        yield running


WHOLE = post("/v1/chat/completions", {**CHAT, "stream": True})
parts = st.sampled_from(
    [
        *(WHOLE[at : at + 9] for at in range(0, len(WHOLE), 9)),
        WHOLE,
        CHUNKED,
        b"0\r\n\r\n",
        b"-1\r\n",
        b"5\r\nhello\r\n",
        b"\r\n",
        b"\r\n\r\n",
        b"GET /v1/models HTTP/1.1\r\n\r\n",
        b"host: evil.example\r\n",
        b"content-length: 3\r\n",
        b'{"model": "m", "messages": [[[',
        b"x-l0-simulate: cut at_event=2 | framing cr\r\n",
    ]
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sent=st.lists(parts | st.binary(max_size=40), max_size=8).map(b"".join))
@example(sent=WHOLE * 3)
@example(sent=CHUNKED + b"-6\r\n")
def test_simulator_survives_arbitrary_bytes(shared: Simulator, sent: bytes) -> None:
    with connected(shared) as client:
        client.sendall(sent)
        assert_serves(shared)
        client.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionError):
            while client.recv(65536):
                pass
    assert shared.wait_idle(120)


STUCK = """
    import sys
    from l0.cli.main import main
    from l0.simulator.server import Simulator

    def stuck(*_):
        print("stuck", flush=True)
        while True:
            pass

    Simulator._response = stuck
    sys.exit(main(["simulate", "--port", "0"]))
"""


@pytest.mark.skipif(not hasattr(signal, "alarm"), reason="needs SIGALRM, by which a stuck simulator ends itself")
def test_sigterm_stops_a_stuck_simulator() -> None:
    command = [sys.executable, "-c", textwrap.dedent(STUCK)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            assert process.stdout is not None
            port = int(process.stdout.readline().rsplit(":", 1)[1])
            while "Ctrl-C" not in process.stdout.readline():
                pass
            with socket.create_connection(("127.0.0.1", port), timeout=HANGS) as client:
                client.sendall(post("/v1/chat/completions", CHAT))
                assert process.stdout.readline() == "stuck\n"
                process.terminate()
                assert process.wait(60) in (0, -signal.SIGALRM)
        finally:
            process.kill()
