"""One call of litellm against one fault: what the user got, what the server saw, what the span says."""

import gc
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import litellm
import pytest
from faults_kit import Seen, SpanStage, body_of

import l0
from l0.simulator.faults import Fault
from l0.simulator.ledger import Reply
from l0.simulator.playback import RecordedBody
from l0_litellm import LitellmInstrumentor
from l0_openai import OpenAIInstrumentor

litellm.suppress_debug_info = True
MESSAGES = [{"role": "user", "content": "hi"}]
WHOLE = "Hello! I am a simulated model. How can I help you today?"
NO_WAIT = l0.Retry(attempts=2, max_retries=2, base_delay=0, max_delay=0)
"""As often as the SDKs of the fault matrix repeat a request."""


OWN_WARNINGS = pytest.mark.filterwarnings(
    # What its clients hold is closed when they are collected, whenever that is.
    *("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"),
    # It builds and serializes its own models in ways that pydantic warns about.
    *("ignore::UserWarning", "ignore::DeprecationWarning"),
)
"""Warnings that litellm itself causes, with and without l0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One way of litellm to a provider. ``provider``: the name on the span."""

    model: str
    provider: str
    dialect: str = "chat"

    def __str__(self) -> str:
        return f"{self.model.partition('/')[0]}-{self.dialect}"


ROUTES = (
    Route(model="anthropic/claude-haiku-4-5", provider="anthropic", dialect="messages"),
    Route(model="groq/compound", provider="groq"),
    Route(model="deepseek/deepseek-chat", provider="deepseek"),
    Route(model="openrouter/some/model", provider="openrouter"),
    Route(model="together_ai/model", provider="together_ai"),
    Route(model="mistral/mistral-large", provider="mistral_ai"),
    Route(model="xai/grok-4", provider="x_ai"),
    Route(model="fireworks_ai/model", provider="fireworks_ai"),
    Route(model="hosted_vllm/model", provider="hosted_vllm"),
    Route(model="openai/gpt-4o", provider="openai", dialect="responses"),
)
"""The ways over litellm's own HTTP handlers."""
routes = pytest.mark.parametrize("route", ROUTES, ids=str)
sync_and_async = pytest.mark.parametrize("sync", [True, False], ids=["sync", "async"])


class LitellmStage(SpanStage):
    """The simulator, and the spans that calls leave."""

    def on(self, policy: l0.Policy | None = None) -> None:
        """Switch l0 on, with spans, for litellm and for the SDK below some of its ways. It learns that this origin ends
        its streams."""
        for instrumentor in (LitellmInstrumentor(), OpenAIInstrumentor()):
            if not instrumentor.is_instrumented_by_opentelemetry:
                instrumentor.instrument(tracer_provider=self._provider, skip_dep_check=True)
        l0.instrument(policy)
        for route in ROUTES:
            self.call(route, sync=True)

    def request(self, route: Route, **more: Any) -> dict[str, Any]:
        """The arguments of a call."""
        base = self.sim.anthropic if route.dialect == "messages" else self.sim.openai
        prompt: dict[str, Any] = {"input": "hi", "store": False}
        if route.dialect != "responses":
            prompt = {"messages": MESSAGES}
        return {"model": route.model, "api_base": base, "api_key": "k", "stream": True, "timeout": 10} | prompt | more

    def call(self, route: Route, *faults: Fault, sync: bool, body: bytes | None = None, **more: Any) -> Seen:
        """One streamed call; the first requests meet ``faults``, those after them are healthy."""
        self.sim.reset()
        played = RecordedBody(content=body or body_of(route.dialect).content)
        broken = [Reply(body=None if fault.find("whole_json") else played, fault=fault) for fault in faults]
        self.sim.script(*broken, *([Reply(body=played)] * 3))
        return self.seen(route.dialect, self.request(route, **more), sync=sync)

    def seen(self, dialect: str, request: dict[str, Any], *, sync: bool, owner: Any = litellm) -> Seen:
        """Make a call with litellm, or with a router. Return what came of it."""
        self.exporter.clear()
        chunks: list[Any] = []
        error: Exception | None = None
        name = "responses" if dialect == "responses" else "completion"
        try:
            if sync:
                answer = getattr(owner, name)(**request)
                for chunk in answer if request["stream"] else [answer]:
                    chunks.append(chunk)  # noqa: PERF402 - what came before an error counts
            else:
                self.loop.run_until_complete(_read(getattr(owner, f"a{name}"), request, chunks))
        except Exception as raised:
            error = raised
        spans = [span for span in self.exporter.get_finished_spans() if span.parent is None]
        found = dict(spans[0].attributes or {}) | {"status": spans[0].status.status_code.name} if spans else None
        return Seen(chunks=chunks, error=error, requests=len(self.sim.requests), span=found, spans=len(spans))

    def close(self) -> None:
        """Close the clients that litellm keeps."""
        self.loop.run_until_complete(litellm.close_litellm_async_clients())
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)  # it leaves clients behind
            litellm.in_memory_llm_clients_cache.flush_cache()
            gc.collect()


async def _read(ask: Callable[..., Any], request: dict[str, Any], chunks: list[Any]) -> None:
    answer = await ask(**request)
    if not request["stream"]:
        chunks.append(answer)
        return
    async for chunk in answer:
        chunks.append(chunk)


def interruption_of(error: Exception | None) -> l0.StreamInterrupted | None:
    """Return our exception: the one that was raised, or the one that litellm wrapped for its router."""
    found = getattr(error, "original_exception", None) or error
    return found if isinstance(found, l0.StreamInterrupted) else None


def text_of(seen: Seen) -> str:
    """The text of an answer."""
    return "".join(_fragment(chunk) for chunk in seen.chunks)


def _fragment(chunk: Any) -> str:
    if hasattr(chunk, "choices"):
        first = chunk.choices[0] if chunk.choices else None
        part = getattr(first, "delta", None) or getattr(first, "message", None)
        return getattr(part, "content", None) or ""
    if getattr(chunk, "type", None) == "response.output_text.delta":
        return str(chunk.delta)
    return "".join(part.text for item in getattr(chunk, "output", ()) for part in item.content)


_MADE_UP = frozenset({"id", "created", "call_id"})
"""Fields that litellm, or the simulator for a complete answer, fills anew for each answer."""


def plain(seen: Seen) -> list[Any]:
    """The objects as plain values, with their classes, and without what differs between two answers."""
    return [(type(chunk), _timeless(chunk.model_dump(warnings=False))) for chunk in seen.chunks]


def _timeless(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _timeless(item) for key, item in value.items() if key not in _MADE_UP}
    return [_timeless(item) for item in value] if isinstance(value, list) else value
