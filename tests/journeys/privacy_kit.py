"""A hostile provider that repeats what it was told, and everything of a call that leaves by l0."""

import json
import logging
import socket
import threading
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import l0
from l0_anthropic import AnthropicInstrumentor
from l0_openai import OpenAIInstrumentor

CANARY = "canary"
KEY = "sk-canary-3f9a71c2d8e4b6a09f57c1d2e3f4a5b6"
PROMPT = "the canary of my illness"
ANSWER = "the canary is well"
ECHO = f"Incorrect API key provided: {KEY}. You asked: {PROMPT}. I was about to say: {ANSWER}"


def http(status: int, body: object, headers: Mapping[str, str] | None = None, content_type: str = "json") -> bytes:
    """A whole HTTP response, after which the connection closes."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status} {ECHO if status >= 400 else 'OK'}", f"content-type: application/{content_type}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    lines += [f"content-length: {len(data)}", "connection: close"]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + data


def sse(*events: object, headers: Mapping[str, str] | None = None) -> bytes:
    """A stream of events: bytes as they are, else JSON; a pair has an event name."""
    parts = []
    for event in events:
        if isinstance(event, bytes):
            parts.append(event)
        elif isinstance(event, tuple):
            parts.append(f"event: {event[0]}\ndata: {json.dumps(event[1])}\n\n".encode())
        else:
            parts.append(f"data: {json.dumps(event)}\n\n".encode())
    body = b"".join(parts)
    lines = ["HTTP/1.1 200 OK", "content-type: text/event-stream", "connection: close"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


@contextmanager
def hostile(replies: Sequence[bytes]) -> Iterator[int]:
    """A server that sends these bytes, one reply a request, the last one forever; and its port."""
    left = list(replies)
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(60)
                try:
                    _read(connection)
                    connection.sendall(left.pop(0) if len(left) > 1 else left[0])
                except OSError:
                    continue

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(120)


def _read(connection: socket.socket) -> None:
    data = b""
    while b"\r\n\r\n" not in data:
        if not (more := connection.recv(65536)):
            return
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    lengths = [line.split(b":")[1] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")]
    missing = int(lengths[0]) - len(body) if lengths else 0
    while missing > 0 and (more := connection.recv(65536)):
        missing -= len(more)


class Recorder:
    """An observer that keeps the reprs of all that it is told."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def observe(self, call: Any) -> Any:
        self.seen.append(repr(call))
        recorder = self

        class Watcher:
            def notify(self, event: Any) -> None:
                recorder.seen.append(repr(event))
                recorder.seen.append(str(event))

            def active(self) -> Any:
                return threading.Lock()

            def headers(self) -> dict[str, str]:
                return {}

        return Watcher()


class Leaving:
    """Everything of the calls of one test that leaves through l0, as text."""

    def __init__(self, folder: Path, caplog: pytest.LogCaptureFixture) -> None:
        self._spans = InMemorySpanExporter()
        tracers = TracerProvider()
        tracers.add_span_processor(SimpleSpanProcessor(self._spans))
        self._reader = InMemoryMetricReader()
        self._caplog = caplog
        self._recorder = Recorder()
        self._store = folder / "slo.db"
        self.errors: list[BaseException] = []
        self.said: list[str] = []
        caplog.set_level(logging.DEBUG)
        meters = MeterProvider([self._reader])
        for instrumentor in (OpenAIInstrumentor(), AnthropicInstrumentor()):
            instrumentor.instrument(tracer_provider=tracers, meter_provider=meters)
        l0.slo.start(store=self._store)

    def instrument(self, policy: l0.Policy) -> None:
        self.said.append(repr(policy))
        l0.instrument(policy, observers=[self._recorder])

    def collected(self) -> dict[str, str]:
        """Return the canaries by the place in which they were found."""
        l0.slo.stop()
        metrics = self._reader.get_metrics_data()
        records = [one for one in self._caplog.records if one.name.partition(".")[0] in ("l0", "opentelemetry")]
        form = logging.Formatter()
        return {
            "spans": "\n".join(span.to_json() for span in self._spans.get_finished_spans()),
            "metrics": metrics.to_json() if metrics is not None else "",
            "logs": "\n".join(f"{form.format(record)} {vars(record)}" for record in records),
            "reprs": "\n".join(self._recorder.seen + self.said),
            "report": str(l0.slo.report()),
            "notes": "\n".join(note for error in self.errors for link in chain(error) for note in notes(link)),
            "messages": "\n".join(f"{error}\n{error!r}" for error in self.errors if ours(error)),
            "files": "".join(file.read_bytes().decode("latin-1") for file in self._store.parent.iterdir()),
        }


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """An exception and those behind it."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def notes(error: BaseException) -> list[str]:
    return list(getattr(error, "__notes__", ()))


def ours(error: BaseException) -> bool:
    """Return True if L0 wrote the message. That of an error in the answer is the provider's, as in the bare SDK."""
    connection = (openai.APIConnectionError, anthropic.APIConnectionError)
    stated = isinstance(error, openai.APIError | anthropic.APIError) and not isinstance(error, connection)
    ours = isinstance(error, l0.StreamInterrupted) or type(error) in connection or isinstance(error, l0.PolicyError)
    ours = ours and not stated
    assert not ours or "\n" not in str(error)
    return ours


def shown(error: BaseException) -> str:
    """As an application logs it."""
    return "".join(traceback.format_exception_only(error))
