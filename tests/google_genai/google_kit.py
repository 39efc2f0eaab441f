"""One call of google-genai against one fault: what the user got, what the server saw, what the span says."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

import httpx2
import pytest
from faults_kit import Seen, SpanStage
from google import genai
from google.genai import types

import l0
from l0.simulator import corpus
from l0.simulator.answers import Answer
from l0.simulator.dialects.generate_content_server import GENERATE_CONTENT
from l0.simulator.dialects.server_dialect import AnswerIdentity, SimulatedRequest
from l0.simulator.faults import Fault
from l0.simulator.ledger import Reply
from l0.simulator.playback import RecordedBody
from l0.simulator.server import Simulator
from l0_google_genai import GoogleGenAIInstrumentor

FLAVOURS = ("sync", "aiohttp", "httpx")
"""The transports of the SDK: httpx2 for sync clients, aiohttp for async ones, and httpx2 if the user gives a client."""
flavours = pytest.mark.parametrize("flavour", FLAVOURS)
MODEL, PROMPT = "gemini-2.5-flash", "hi"
Ask = Callable[[Any], Any]
RETRIES = types.HttpRetryOptions(attempts=3, initial_delay=0.001, max_delay=0.001, jitter=0.0)


@lru_cache(maxsize=16)
def body_of(name: str = corpus.DEFAULT, choices: int = 1) -> bytes:
    """A shipped answer in the dialect of Gemini."""
    return body_from(corpus.bundled_answer(name), choices)


def body_from(answer: Answer, choices: int = 1) -> bytes:
    """An answer in the dialect of Gemini."""
    request = SimulatedRequest(model=MODEL, stream=True, choices=choices)
    return b"".join(GENERATE_CONTENT.events(answer, request, AnswerIdentity.of(0, 0)))


class GoogleStage(SpanStage):
    """The simulator, clients of every transport with and without retries, and the spans that calls leave."""

    def __init__(self, sim: Simulator, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(sim, loop)
        self._clients: dict[tuple[str, bool], Any] = {}
        self._given: list[Any] = []

    def on(self, policy: l0.Policy | None = None) -> None:
        """Switch l0 on, with spans; it learns that this origin ends its streams."""
        instrumentor = GoogleGenAIInstrumentor()
        if not instrumentor.is_instrumented_by_opentelemetry:
            instrumentor.instrument(tracer_provider=self._provider, skip_dep_check=True)
        self.call(body_of(), flavour="sync")
        l0.instrument(policy)

    def client(self, flavour: str, *, retries: bool = True, **more: Any) -> Any:
        """Return a client. Without ``retries`` it has no retry options, as by default."""
        key = (flavour, retries)
        if more or key not in self._clients:
            given = httpx2.AsyncClient() if flavour == "httpx" else None
            self._given += [] if given is None else [given]
            options = types.HttpOptions(
                base_url=self.sim.google,
                retry_options=RETRIES if retries else None,
                httpx_async_client=given,
                timeout=10_000,
            )
            made = genai.Client(**({"api_key": "k"} | more), http_options=options)
            if more:
                return made
            self._clients[key] = made
        return self._clients[key]

    def call_each(self, bodies: Sequence[RecordedBody], *, flavour: str) -> Seen:
        """One streamed call, each of whose requests gets the next body."""
        self.sim.reset()
        self.sim.script(*(Reply(body=body) for body in bodies))
        return self.seen(self.client(flavour), flavour)

    def call(self, body: bytes | RecordedBody, *faults: Fault, flavour: str, retries: bool = True, **more: Any) -> Seen:
        """One streamed call; the first requests meet ``faults``, those after them are healthy."""
        self.sim.reset()
        played = body if isinstance(body, RecordedBody) else RecordedBody(content=body)
        broken = [Reply(body=None if fault.find("whole_json") else played, fault=fault) for fault in faults]
        self.sim.script(*broken, *([Reply(body=played)] * 3))
        return self.seen(self.client(flavour, retries=retries), flavour, **more)

    def seen(self, client: Any, flavour: str, **more: Any) -> Seen:
        """Make a streamed call with a client. Return what came of it."""
        self.exporter.clear()
        chunks: list[Any] = []
        error: Exception | None = None
        request = {"model": MODEL, "contents": PROMPT} | more
        try:
            if flavour == "sync":
                for chunk in client.models.generate_content_stream(**request):
                    chunks.append(chunk)  # noqa: PERF402 - what came before an error counts
            else:
                self.loop.run_until_complete(_read(client, request, chunks))
        except Exception as raised:
            error = raised
        spans = [span for span in self.exporter.get_finished_spans() if span.parent is None]
        found = dict(spans[0].attributes or {}) | {"status": spans[0].status.status_code.name} if spans else None
        return Seen(chunks=chunks, error=error, requests=len(self.sim.requests), span=found, spans=len(spans))

    def close(self) -> None:
        """Close all clients."""
        for client in self._clients.values():
            client.close()
            self.loop.run_until_complete(client.aio.aclose())
        for given in self._given:
            self.loop.run_until_complete(given.aclose())


async def _read(client: Any, request: dict[str, Any], chunks: list[Any]) -> None:
    async for chunk in await client.aio.models.generate_content_stream(**request):
        chunks.append(chunk)


def text_of(chunks: list[Any]) -> str:
    """The text of the first candidate."""
    return "".join(_texts(chunks))


def _texts(chunks: list[Any]) -> Iterator[str]:
    for chunk in chunks:
        for candidate in chunk.candidates or ():
            if not candidate.index and candidate.content is not None:
                yield from (part.text for part in candidate.content.parts or () if part.text and not part.thought)


def without_identity(seen: Seen) -> Seen:
    """Return what was seen without the headers of the answer, which faults change, and without its id."""
    nothing = {"sdk_http_response": None, "response_id": None}
    return replace(seen, chunks=[chunk.model_copy(update=nothing) for chunk in seen.chunks])
