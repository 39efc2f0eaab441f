"""A running viewer for tests, a client for it, and OTLP in JSON to send to it."""

import http.client
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from l0.viewer.recording_folders import RecordingFolders
from l0.viewer.retention import StoreLimits
from l0.viewer.viewer_server import ViewerConfig, ViewerServer

HANGS = 60.0
"""Seconds that only a viewer takes that hangs."""
START = 1_800_000_000_000
"""The start of the spans that are made here, in Unix milliseconds."""


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class ViewerClient:
    """Sends requests as they are given, over their own sockets."""

    port: int

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def request(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=HANGS)
        try:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
        finally:
            connection.close()

    def get(self, path: str, **parameters: Any) -> Any:
        query = f"?{urlencode(parameters, doseq=True)}" if parameters else ""
        answer = self.request("GET", path + query)
        assert answer.status == 200, answer.body
        return answer.json

    def post_json(self, signal: str, message: Any) -> Answer:
        return self.request("POST", f"/v1/{signal}", json.dumps(message).encode(), {"content-type": "application/json"})

    def send(self, *spans: dict[str, Any], service: str = "app") -> None:
        answer = self.post_json("traces", traces(*spans, service=service))
        assert (answer.status, answer.json) == (200, {}), answer.body

    def raw(self, sent: bytes) -> bytes:
        """Return everything that the viewer answers to these bytes."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=HANGS) as client:
            client.sendall(sent)
            client.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: client.recv(65536), b""))


@contextmanager
def running_viewer(
    path: Path, limits: StoreLimits | None = None, recordings: RecordingFolders | None = None
) -> Iterator[ViewerClient]:
    folders = recordings or RecordingFolders()
    server = ViewerServer(ViewerConfig(port=0, database=path, limits=limits or StoreLimits(), recordings=folders))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        yield ViewerClient(int(server.origin.rpartition(":")[2]))
    finally:
        server.stop()
        thread.join(HANGS)
        assert not thread.is_alive(), "the viewer does not end"


def traces(*spans: dict[str, Any], service: str = "app") -> dict[str, Any]:
    resource = {"attributes": attributes({"service.name": service})}
    scope_spans = [{"scope": {"name": "l0"}, "spans": list(spans)}]
    return {"resourceSpans": [{"resource": resource, "scopeSpans": scope_spans}]}


def span(
    number: int,
    known: dict[str, Any] | None = None,
    *,
    trace: int | None = None,
    parent: int | None = None,
    at: float = 0.0,
    ms: float = 100.0,
    error: str | None = None,
    **fields: Any,
) -> dict[str, Any]:
    """Return a span. ``number``: its id, and that of its trace. ``at``: its start in ms, from `START`."""
    start = nanoseconds(at)
    made: dict[str, Any] = {
        "traceId": f"{trace or number:032x}",
        "spanId": f"{number:016x}",
        "name": "chat m",
        "kind": 3,
        "startTimeUnixNano": str(start),
        "endTimeUnixNano": str(start + round(ms * 1_000_000)),
        "attributes": attributes(known or {}),
    }
    if parent is not None:
        made["parentSpanId"] = f"{parent:016x}"
    if error is not None:
        made["status"] = {"code": 2, "message": error}
    return made | fields


def call(number: int, known: dict[str, Any] | None = None, **how: Any) -> dict[str, Any]:
    """Return a span of a call that L0 made."""
    usual = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o",
        "l0.outcome": "ok",
        "l0.attempts": 1,
    }
    return span(number, usual | (known or {}), **how)


def nanoseconds(at: float) -> int:
    """Return a time in ms from `START` in Unix nanoseconds."""
    return START * 1_000_000 + round(at * 1_000_000)


def attributes(known: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"key": key, "value": value(one)} for key, one in known.items()]


def value(one: Any) -> dict[str, Any]:
    match one:
        case bool():
            return {"boolValue": one}
        case int():
            return {"intValue": str(one)}
        case float():
            return {"doubleValue": one}
        case list() | tuple():
            return {"arrayValue": {"values": [value(inner) for inner in one]}}
        case dict():
            return {"kvlistValue": {"values": attributes(one)}}
    return {"stringValue": one}
