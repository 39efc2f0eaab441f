"""Answers played to the real SDKs in memory, bare and with everything on that reads an answer for facts."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import anthropic
import openai
from installed import transport_of
from opentelemetry.sdk._logs import LoggerProvider, export
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import l0
from l0.stainless.discovery import instrumentors
from l0.stainless.sdk_patches import SdkPatches
from l0_anthropic import AnthropicInstrumentor
from l0_openai import OpenAIInstrumentor

POLICY = l0.Policy(guardrails="recommended", drift=True)
"""The SDK's own retries stay as they are."""
EXPLICIT = l0.Policy(
    guardrails="recommended",
    drift=True,
    retry=l0.Retry(attempts=1, max_retries=1, base_delay=0.0001, max_delay=0.0001),
)
_EXPORTER = getattr(export, "InMemoryLogRecordExporter", None) or export.InMemoryLogExporter  # its name until 1.39
ASKED: dict[str, dict[str, Any]] = {
    "chat": {"messages": [{"role": "user", "content": "hi"}]},
    "completions": {"prompt": "hi"},
    "responses": {"input": "hi", "store": False},
    "messages": {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 4096},
    "embeddings": {"input": "hi"},
}
"""The smallest request of each dialect."""
_FORMAT = {"type": "json_schema", "name": "place", "schema": {"type": "object", "required": ["city"]}}
ASKED_AS_JSON: dict[str, dict[str, Any]] = {
    "chat": {"response_format": {"type": "json_schema", "json_schema": _FORMAT}},
    "responses": {"text": {"format": _FORMAT}},
    "messages": {"output_config": {"format": _FORMAT}},
}
"""The fields of a request that ask for an answer of a schema. The SDKs' types of these fields differ by version."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Got:
    """The result of an answer for the user, and the requests that it needed."""

    items: list[Any]
    error: BaseException | None
    requests: int
    spans: tuple[ReadableSpan, ...] = ()
    warnings: list[str] = field(default_factory=list)


class Warnings(logging.Handler):
    """The messages that were logged as a warning or worse, except summaries, which are about earlier calls."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if hasattr(record, "l0_count"):
            return
        text = record.getMessage()
        if record.exc_info:
            text += f": {record.exc_info[1]!r}"
        self.said.append(f"{record.name}: {text}")


class Player:
    """Clients of both SDKs whose transport gives one body, however often it is asked."""

    def __init__(self) -> None:
        self.body, self.status, self.streaming, self.as_json = b"", 200, False, False
        self.requests = 0
        self.exporter = InMemorySpanExporter()
        self.tracers = TracerProvider()
        self.tracers.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.reader = InMemoryMetricReader()
        self.meters = MeterProvider(metric_readers=[self.reader])
        self.logs = LoggerProvider()
        self.log_exporter = _EXPORTER()
        self.logs.add_log_record_processor(export.SimpleLogRecordProcessor(self.log_exporter))
        self.warnings = Warnings()
        self.runner = asyncio.Runner()
        self.clients = {
            "openai": self._client(openai, openai.OpenAI, sync=True),
            "anthropic": self._client(anthropic, anthropic.Anthropic, sync=True),
        }
        self.aclients = {
            "openai": self._client(openai, openai.AsyncOpenAI, sync=False),
            "anthropic": self._client(anthropic, anthropic.AsyncAnthropic, sync=False),
        }
        self.resume_points: list[SdkPatches] = []

    def _client(self, sdk: Any, kind: Any, *, sync: bool) -> Any:
        transport = transport_of(sdk)

        def answer(request: Any) -> Any:
            self.requests += 1
            content = "text/event-stream" if self.streaming else "application/json"
            return transport.Response(
                self.status, headers={"content-type": content}, content=self.body, request=request
            )

        http = (transport.Client if sync else transport.AsyncClient)(transport=transport.MockTransport(answer))
        client = kind(api_key="k", base_url="http://origin.invalid/v1", http_client=http)
        client._calculate_retry_timeout = lambda *_: 0.0
        return client

    # -- switching --------------------------------------------------------------------------------------------------

    def instrument(self, policy: l0.Policy = POLICY) -> None:
        """Everything on."""
        for instrumentor in (OpenAIInstrumentor(), AnthropicInstrumentor()):
            instrumentor.instrument(tracer_provider=self.tracers, meter_provider=self.meters, logger_provider=self.logs)
        l0.instrument(policy)
        l0.slo.start()
        patches = [one.patches for one in instrumentors()]
        self.resume_points = [each for each in patches if each is not None]  # None: that SDK is not installed
        logging.getLogger().addHandler(self.warnings)

    @contextmanager
    def bare(self) -> Iterator[None]:
        """Everything off for a moment."""
        for seam in self.resume_points:
            seam.active = False
        try:
            yield
        finally:
            for seam in self.resume_points:
                seam.active = True

    @contextmanager
    def asking_for_json(self) -> Iterator[None]:
        """Name a schema in each request for a moment."""
        self.as_json = True
        try:
            yield
        finally:
            self.as_json = False

    def close(self) -> None:
        """Off again."""
        logging.getLogger().removeHandler(self.warnings)
        l0.slo.stop()
        l0.uninstrument()
        for client in self.clients.values():
            client.close()
        for client in self.aclients.values():
            self.runner.run(client.close())
        self.runner.close()

    # -- playing ----------------------------------------------------------------------------------------------------

    def load(self, body: bytes, *, streaming: bool, status: int = 200) -> None:
        """Set the answer of all requests from now on."""
        self.body, self.streaming, self.status = body, streaming, status

    def create(self, dialect: str, *, sync: bool) -> Callable[..., Any]:
        """The SDK's method of a dialect."""
        clients = self.clients if sync else self.aclients
        client = clients["anthropic" if dialect == "messages" else "openai"]
        found: Callable[..., Any] = (client.chat.completions if dialect == "chat" else getattr(client, dialect)).create
        return found

    def request(self, dialect: str) -> dict[str, Any]:
        """Its arguments."""
        more = {"extra_body": ASKED_AS_JSON.get(dialect)} if self.as_json else {}
        return {"model": "m", **ASKED[dialect], **more, **({"stream": True} if self.streaming else {})}

    def play(self, dialect: str, *, sync: bool = True) -> Got:
        """Read what was loaded to its end."""
        if sync:
            return self._got(lambda items: self._read(dialect, items))
        return self._got(lambda items: self.runner.run(self._aread(dialect, items)))

    def explicit(self, dialect: str, *, sync: bool, raw: bool) -> Got:
        """The same through the explicit API."""
        if sync:
            return self._got(lambda items: self._explicit(dialect, items, raw=raw))
        return self._got(lambda items: self.runner.run(self._aexplicit(dialect, items, raw=raw)))

    def _read(self, dialect: str, items: list[Any]) -> None:
        answer = self.create(dialect, sync=True)(**self.request(dialect))
        if self.streaming:
            items.extend(answer)
        else:
            items.append(answer)

    async def _aread(self, dialect: str, items: list[Any]) -> None:
        answer = await self.create(dialect, sync=False)(**self.request(dialect))
        if not self.streaming:
            items.append(answer)
            return
        async for item in answer:
            items.append(item)

    def _explicit(self, dialect: str, items: list[Any], *, raw: bool) -> None:
        create, request = self.create(dialect, sync=True), self.request(dialect)
        with l0.run_sync(lambda: create(**request), policy=EXPLICIT) as stream:
            items.extend(stream.raw() if raw else stream)

    async def _aexplicit(self, dialect: str, items: list[Any], *, raw: bool) -> None:
        create, request = self.create(dialect, sync=False), self.request(dialect)
        async with await l0.run(lambda: create(**request), policy=EXPLICIT) as stream:
            async for item in stream.raw() if raw else stream:
                items.append(item)

    def _got(self, read: Callable[[list[Any]], None]) -> Got:
        self.exporter.clear()
        self.log_exporter.clear()
        self.warnings.said = []
        self.requests = 0
        items: list[Any] = []
        error: BaseException | None = None
        try:
            read(items)
        except Exception as raised:
            error = raised
        return Got(
            items=items,
            error=error,
            requests=self.requests,
            spans=self.exporter.get_finished_spans(),
            warnings=self.warnings.said,
        )
