"""One call of boto3 against one fault: what the user got, what the server saw, what the span says."""

import asyncio
import json
from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Any

import boto3
import pytest
from botocore.config import Config
from faults_kit import Seen, SpanStage

import l0
from l0.simulator import corpus
from l0.simulator.answers import Answer
from l0.simulator.faults import Fault
from l0.simulator.ledger import Reply
from l0.simulator.playback import RecordedBody
from l0.simulator.server import Simulator
from l0_bedrock import BedrockInstrumentor

MODEL = "anthropic.claude-3-5-sonnet-20241022-v2:0"
WHOLE = "Hello! I am a simulated model. How can I help you today?"
MESSAGES = [{"role": "user", "content": [{"text": "hi"}]}]
CONVERSE: Mapping[str, Any] = {"modelId": MODEL, "messages": MESSAGES}
INVOKE: Mapping[str, Any] = {
    "modelId": MODEL,
    "body": json.dumps(
        {
            "anthropic_version": "bedrock-2023-05-31",
            "max_tokens": 900,
            "messages": [{"role": "user", "content": "hi"}],
        }
    ),
}
APIS = ("converse", "bedrock_messages")
"""The operations that stream: by the dialect of their events."""
apis = pytest.mark.parametrize("api", APIS)


class BedrockStage(SpanStage):
    """The simulator, clients with and without retries, and the spans that calls leave."""

    def __init__(self, sim: Simulator, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(sim, loop)
        self._clients: list[Any] = []
        self.plain = self.client(retries={"total_max_attempts": 1})
        """A client without retries."""
        self.retrying = self.client(retries={"total_max_attempts": 3, "mode": "standard"})
        """A client with the default of newer versions."""

    def client(self, **config: Any) -> Any:
        """Return a client, with fields of its `Config`."""
        made = boto3.client(
            "bedrock-runtime",
            region_name="us-east-1",
            endpoint_url=self.sim.bedrock,
            aws_access_key_id="k",
            aws_secret_access_key="s",
            config=Config(**{"read_timeout": 10, "max_pool_connections": 50} | config),
        )
        self._clients.append(made)
        return made

    def on(self, policy: l0.Policy | None = None) -> None:
        """Switch l0 on, with spans."""
        instrumentor = BedrockInstrumentor()
        if not instrumentor.is_instrumented_by_opentelemetry:
            instrumentor.instrument(tracer_provider=self._provider, skip_dep_check=True)
        l0.instrument(policy)

    def call(
        self,
        *faults: Fault,
        api: str = "converse",
        client: Any = None,
        answer: Answer | RecordedBody | None = None,
        **more: Any,
    ) -> Seen:
        """One streamed call; the first requests meet ``faults``, those after them are healthy."""
        self.sim.reset()
        self.exporter.clear()
        if isinstance(answer, RecordedBody):
            healthy = Reply(body=answer)
        else:
            healthy = Reply(answer=answer or corpus.bundled_answer(corpus.DEFAULT))
        faulty = [Reply(answer=healthy.answer, body=healthy.body, fault=fault) for fault in faults]
        self.sim.script(*faulty, *[healthy] * 3)
        chunks: list[Any] = []
        error: Exception | None = None
        try:
            with closing(stream_of(client or self.retrying, api, **more)) as stream:
                for event in stream:
                    chunks.append(_decoded(event))
        except Exception as raised:
            error = raised
        spans = self.spans()
        return Seen(
            chunks=chunks,
            error=error,
            requests=len(self.sim.requests),
            span=spans[0] if spans else None,
            spans=len(spans),
        )

    def spans(self) -> list[dict[str, Any]]:
        """Return the attributes of the spans of calls, and their status."""
        spans = [span for span in self.exporter.get_finished_spans() if span.parent is None]
        return [dict(span.attributes or {}) | {"status": span.status.status_code.name} for span in spans]

    def close(self) -> None:
        """Close all clients."""
        for client in self._clients:
            client.close()


def stream_of(client: Any, api: str = "converse", **more: Any) -> Any:
    """Begin a streamed call. Return its event stream."""
    if api == "converse":
        return client.converse_stream(**CONVERSE | more)["stream"]
    return client.invoke_model_with_response_stream(**INVOKE | more)["body"]


def _decoded(event: dict[str, Any]) -> dict[str, Any]:
    """Return an event without the id of its answer, which differs per request."""
    try:
        value: dict[str, Any] = json.loads(event["chunk"]["bytes"])
    except (KeyError, ValueError):  # another event, or one that a fault broke
        return event
    if "message" in value:
        value["message"] = {**value["message"], "id": None}
    return value


def text_of(chunks: list[Any]) -> str:
    """The text of an answer."""
    return "".join(_texts(chunks))


def _texts(chunks: list[Any]) -> Iterator[str]:
    for chunk in chunks:
        delta = (chunk.get("contentBlockDelta") or chunk).get("delta") or {}
        if "text" in delta:
            yield delta["text"]
