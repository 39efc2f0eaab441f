"""Clients, requests, and the exporter that collects spans."""

import http.server
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import anthropic
import openai
import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import l0
from l0.runtime.finalizers import LATER
from l0.simulator.corpus import bundled_answer
from l0.simulator.dialects.chat_server import CHAT
from l0.simulator.dialects.messages_server import MESSAGES
from l0.simulator.dialects.responses_server import RESPONSES
from l0.simulator.dialects.server_dialect import AnswerIdentity, SimulatedRequest
from l0.simulator.server import Simulator
from l0_anthropic import AnthropicInstrumentor
from l0_openai import OpenAIInstrumentor

HELLO: list[Any] = [{"role": "user", "content": "hi"}]
CHATTING: dict[str, Any] = {"model": "gpt-4o", "messages": HELLO}
RESPONDING: dict[str, Any] = {"model": "gpt-4o", "input": "hi", "store": False}
MESSAGING: dict[str, Any] = {"model": "claude-test", "max_tokens": 4096, "messages": HELLO}
OPEN: dict[str, Callable[[Simulator], Any]] = {
    "chat": lambda sim: chat_client(sim).chat.completions.create(**CHATTING, stream=True),
    "responses": lambda sim: chat_client(sim).responses.create(**RESPONDING, stream=True),
    "messages": lambda sim: claude(sim).messages.create(**MESSAGING, stream=True),
}
"""A stream of each dialect."""
OK, CANCELLED, FAILED = ("ok", "UNSET"), ("cancelled", "UNSET"), ("failed", "ERROR")
"""Outcome and status of a call's span."""
sync_and_async = pytest.mark.parametrize("sync", [True, False], ids=["sync", "async"])
_DIALECTS = {dialect.name: dialect for dialect in (CHAT, RESPONSES, MESSAGES)}


class Spans:
    """A tracer provider of one test."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        self.provider = TracerProvider()
        self.provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.tracer = self.provider.get_tracer("journeys")

    def instrument(self, policy: l0.Policy | None = None) -> None:
        """Switch l0 on, with its spans going here."""
        for instrumentor in (OpenAIInstrumentor(), AnthropicInstrumentor()):
            instrumentor.instrument(tracer_provider=self.provider)
        l0.instrument(policy)

    @property
    def all(self) -> tuple[ReadableSpan, ...]:
        """Return the exported spans, those of abandoned streams included."""
        LATER.finish()
        return self._exporter.get_finished_spans()

    @property
    def ends(self) -> list[tuple[str, str]]:
        """Outcome and status of every call, in the order in which they ended."""
        return [
            (str((span.attributes or {})["l0.outcome"]), span.status.status_code.name)
            for span in self.all
            if "l0.outcome" in (span.attributes or {})
        ]

    @property
    def only(self) -> ReadableSpan:
        """The one span that there is."""
        (span,) = self.all
        return span


def body(dialect: str, name: str = "greeting", choices: int = 1) -> bytes:
    """A shipped answer, always with the same ids."""
    ask = SimulatedRequest(model="m", stream=True, choices=choices, store=False)
    return b"".join(_DIALECTS[dialect].events(bundled_answer(name), ask, AnswerIdentity.of(0, 0)))


@contextmanager
def origin(content: bytes, headers: dict[str, str]) -> Iterator[str]:
    """An HTTP server that answers every POST with these bytes."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(200)
            for name, value in ({"content-length": str(len(content))} | headers).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def exhausted(stream: Any) -> None:
    """Read it to its end."""
    for _ in stream:
        pass


_opened: list[Any] = []


def close_all() -> None:
    """Close the clients of a test."""
    while _opened:
        _opened.pop().close()


def _options(sdk: Any, base_url: str) -> dict[str, Any]:
    """Options of a client. A slow machine may need more than the SDK's 5 seconds for many connections at once."""
    return {"api_key": "k", "base_url": base_url, "timeout": sdk.Timeout(600, connect=600)}


def chat_client(sim: Simulator, **options: Any) -> openai.OpenAI:
    """A client of the simulator, closed after the test."""
    _opened.append(made := openai.OpenAI(**(_options(openai, sim.openai) | options)))
    return made


def claude(sim: Simulator, **options: Any) -> anthropic.Anthropic:
    """A client of the simulator, closed after the test."""
    _opened.append(made := anthropic.Anthropic(**(_options(anthropic, sim.anthropic) | options)))
    return made


def async_chat_client(sim: Simulator, **options: Any) -> openai.AsyncOpenAI:
    """A client of the simulator, to be closed in its event loop."""
    return openai.AsyncOpenAI(**(_options(openai, sim.openai) | options))


def async_claude(sim: Simulator, **options: Any) -> anthropic.AsyncAnthropic:
    """A client of the simulator, to be closed in its event loop."""
    return anthropic.AsyncAnthropic(**(_options(anthropic, sim.anthropic) | options))


def client_of(sim: Simulator, dialect: str, *, sync: bool = True, **options: Any) -> Any:
    """A client of the simulator that speaks a dialect."""
    if dialect == "messages":
        return (claude if sync else async_claude)(sim, **options)
    return (chat_client if sync else async_chat_client)(sim, **options)


def dumped(items: Any) -> list[Any]:
    """Objects of the SDK as plain data, with their type."""
    return [
        (type(one).__name__, one.model_dump(warnings=False) if hasattr(one, "model_dump") else one) for one in items
    ]


class Heard:
    """Spans and metrics of the calls of one test."""

    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()
        self.tracers = TracerProvider()
        self.tracers.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.reader = InMemoryMetricReader()
        self.meters = MeterProvider(metric_readers=[self.reader])

    def instrument(self) -> None:
        """Switch l0 on, with its spans and metrics going here."""
        for instrumentor in (OpenAIInstrumentor(), AnthropicInstrumentor()):
            instrumentor.instrument(tracer_provider=self.tracers, meter_provider=self.meters)

    @property
    def span(self) -> Any:
        LATER.finish()
        return next(span for span in self.exporter.get_finished_spans() if span.parent is None)

    def points(self, name: str) -> list[Any]:
        LATER.finish()
        data: Any = self.reader.get_metrics_data()
        resources = data.resource_metrics if data is not None else ()  # nothing was recorded
        metrics = [m for r in resources for s in r.scope_metrics for m in s.metrics]
        return [point for metric in metrics if metric.name == name for point in metric.data.data_points]


Journey = Callable[[Simulator], Any]


def both_ways(sim: Simulator, journey: Journey, prepare: Callable[[], None] = lambda: None) -> tuple[Any, Any]:
    """Yield the results of a journey without L0 and with it."""
    l0.uninstrument()
    got = []
    for instrument in (lambda: None, l0.instrument):
        instrument()
        sim.reset()
        prepare()
        got.append(journey(sim))
    return got[0], got[1]
