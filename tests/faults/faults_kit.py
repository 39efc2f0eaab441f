"""One call against one fault: what the user got, what the server saw, what the span says."""

import asyncio
import time
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache
from itertools import takewhile
from typing import Any

import anthropic
import anyio
import openai
import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from traffic_kit import REQUESTS, Sample, difference, shipped

import l0
from l0.runtime import async_driver, sync_driver
from l0.simulator.dialects.chat_server import CHAT
from l0.simulator.dialects.completions_server import COMPLETIONS
from l0.simulator.dialects.messages_server import MESSAGES
from l0.simulator.dialects.responses_server import RESPONSES
from l0.simulator.dialects.server_dialect import AnswerIdentity
from l0.simulator.fault_shaping import Piece, marked, shape
from l0.simulator.faults import Fault
from l0.simulator.ledger import Reply
from l0.simulator.playback import RecordedBody
from l0.simulator.server import Simulator
from l0.simulator.sse_writer import split
from l0_anthropic import AnthropicInstrumentor
from l0_openai import OpenAIInstrumentor

DIALECTS = tuple(REQUESTS)
SDKS: dict[str, Any] = {"openai": openai, "anthropic": anthropic}
sync_and_async = pytest.mark.parametrize("sync", [True, False], ids=["sync", "async"])


def sdk_of(dialect: str) -> str:
    """Which SDK speaks a dialect."""
    return "anthropic" if dialect == "messages" else "openai"


@lru_cache(maxsize=8)
def body_of(dialect: str, name: str = "greeting") -> Sample:
    """A shipped answer in a dialect."""
    return next(sample for sample in shipped() if sample.dialect == dialect and sample.name == name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """The result of one call. ``requests``: number at the server. ``span``: attributes, ``None`` without L0."""

    chunks: list[Any]
    error: Exception | None
    requests: int
    span: dict[str, Any] | None = None
    spans: int = 0


class SpanStage:
    """The simulator, a loop, and the spans that calls leave."""

    def __init__(self, sim: Simulator, loop: asyncio.AbstractEventLoop) -> None:
        self.sim = sim
        self.loop = loop
        self.exporter = InMemorySpanExporter()
        self._provider = TracerProvider()
        self._provider.add_span_processor(SimpleSpanProcessor(self.exporter))


class Stage(SpanStage):
    """The simulator, clients of both SDKs with and without retries, and the spans that calls leave."""

    def __init__(self, sim: Simulator, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(sim, loop)
        urls = {"openai": sim.openai, "anthropic": sim.anthropic}
        self._clients: dict[tuple[str, bool], Any] = {}
        for name, url in urls.items():
            kinds = {"openai": ("OpenAI", "AsyncOpenAI"), "anthropic": ("Anthropic", "AsyncAnthropic")}[name]
            for kind, sync in zip(kinds, (True, False), strict=True):
                self._clients[name, sync] = getattr(SDKS[name], kind)(api_key="k", base_url=url, timeout=10)

    def on(self, policy: l0.Policy | None = None) -> None:
        """Switch l0 on, with spans."""
        for instrumentor in (OpenAIInstrumentor(), AnthropicInstrumentor()):
            if not instrumentor.is_instrumented_by_opentelemetry:
                instrumentor.instrument(tracer_provider=self._provider)
        l0.instrument(policy)

    def call(
        self,
        sample: Sample,
        *faults: Fault,
        sync: bool,
        retries: int | None = None,
        healthy: Reply | None = None,
        **request: Any,
    ) -> Seen:
        """One streamed call; the first requests meet ``faults``, those after them are ``healthy``: the same, whole."""
        self.sim.reset()
        healthy = healthy or Reply(body=RecordedBody(content=sample.content))
        self.sim.script(*(_reply(sample, fault) for fault in faults), *([healthy] * 3))
        self.exporter.clear()
        request = REQUESTS[sample.dialect] | request
        client = self._clients[sdk_of(sample.dialect), sync]
        if retries is not None:
            client = client.with_options(max_retries=retries)
        create = (client.chat.completions if sample.dialect == "chat" else getattr(client, sample.dialect)).create
        request = self.arguments(create, request)
        chunks: list[Any] = []
        error: Exception | None = None
        try:
            if sync:
                _read(create, request, chunks)
            else:
                self.loop.run_until_complete(_aread(create, request, chunks))
        except Exception as raised:
            error = raised
        spans = [span for span in self.exporter.get_finished_spans() if span.parent is None]
        found = dict(spans[0].attributes or {}) | {"status": spans[0].status.status_code.name} if spans else None
        return Seen(chunks=chunks, error=error, requests=len(self.sim.requests), span=found, spans=len(spans))

    def arguments(self, create: Any, request: dict[str, Any]) -> dict[str, Any]:
        """Return the arguments of ``create`` for a request."""
        return request

    def close(self) -> None:
        """Close all clients."""
        for (_, sync), client in self._clients.items():
            if sync:
                client.close()
            else:
                self.loop.run_until_complete(client.close())


def forbid_long_sleeps(patch: pytest.MonkeyPatch) -> None:
    """Let no call sleep for long: a retry that would is told from one that waits for a moment."""
    sleeps = ((time, "sleep"), (anyio, "sleep"), (sync_driver, "wait_unless_stopped"), (async_driver, "sleep"))
    for module, name in sleeps:
        patch.setattr(module, name, _bounded(getattr(module, name)))


def _bounded(sleep: Any) -> Any:
    def bounded(seconds: float, *call: Any) -> Any:
        assert seconds < 2, f"a call would sleep for {seconds} s"
        return sleep(seconds, *call)

    return bounded


_STAMPED = ("failed", "in_band_error", "lifecycle_frames")


def _reply(sample: Sample, fault: Fault) -> Reply:
    """A body with its fault. Events that a fault adds carry ids: made here, they are always the same; but such a body
    cannot have a pause."""
    if fault.find("whole_json") or (fault.find("stall") and fault.find(*_STAMPED)):
        return Reply(fault=fault)
    if not fault.find(*_STAMPED):
        return Reply(body=RecordedBody(content=sample.content), fault=fault)
    dialect = next(dialect for dialect in (CHAT, COMPLETIONS, RESPONSES, MESSAGES) if dialect.name == sample.dialect)
    pieces = takewhile(
        lambda item: isinstance(item, Piece),
        shape(marked(split(sample.content), dialect), fault, dialect, AnswerIdentity.of(0, 0)),
    )
    return Reply(body=RecordedBody(content=b"".join(piece.data for piece in pieces if isinstance(piece, Piece))))


# A stream that breaks is closed: a bare SDK leaves it to the garbage collector, which may close it while the same
# thread holds the lock of the transport's pool, and would wait for it forever.
def _read(create: Any, request: dict[str, Any], chunks: list[Any]) -> None:
    with closing(create(**request, stream=True)) as stream:
        for chunk in stream:
            chunks.append(chunk)  # noqa: PERF402 - what came before an error counts


async def _aread(create: Any, request: dict[str, Any], chunks: list[Any]) -> None:
    stream = await create(**request, stream=True)
    try:
        async for chunk in stream:
            chunks.append(chunk)
    finally:
        await stream.close()


def prefix_mismatch(part: list[Any], whole: list[Any]) -> str | None:
    """Return ``None`` if ``part`` is the beginning of ``whole``, and not all of it; else describe the mismatch."""
    if len(part) >= len(whole):
        return f"{len(part)} chunks are no proper part of {len(whole)}"
    return difference(part, whole[: len(part)])
