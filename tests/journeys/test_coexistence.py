"""Other instrumentations of the same SDKs beside l0, put on and taken off in every order: one inference span a call.

They patch what l0 patches, so they are in their own environment: `make test-peers`.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from importlib.util import find_spec
from itertools import permutations
from typing import Any

import openai
import pytest
from journeys_kit import (
    CHATTING,
    MESSAGING,
    RESPONDING,
    Spans,
    async_chat_client,
    async_claude,
    chat_client,
    claude,
    dumped,
)
from opentelemetry.sdk.trace import ReadableSpan

import l0
from l0.simulator.faults import Fault
from l0.simulator.server import Simulator

PEERS = {
    "genai": (
        "opentelemetry.instrumentation.genai.openai:OpenAIInstrumentor",
        "opentelemetry.instrumentation.genai.anthropic:AnthropicInstrumentor",
    ),
    "openinference": (
        "openinference.instrumentation.openai:OpenAIInstrumentor",
        "openinference.instrumentation.anthropic:AnthropicInstrumentor",
    ),
    "httpx": ("opentelemetry.instrumentation.httpx:HTTPX2ClientInstrumentor",),
}
HOUSES = [("l0", "genai", "httpx"), ("l0", "openinference", "httpx")]
"""The combinations of instrumentations. Two peers that both make inference spans make two without L0 as well."""
ORDERS = [order for house in HOUSES for order in permutations(house)]
BOTH_WAYS = [(on, off) for house in HOUSES for on in permutations(house) for off in permutations(house)]
Make = Callable[[Simulator], Any]


def _found(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False


pytestmark = pytest.mark.skipif(
    not all(_found(one.partition(":")[0]) for makers in PEERS.values() for one in makers),
    reason="the other instrumentations are not installed here: `make test-peers`",
)


class Watched(Spans):
    """Spans of one step after the other."""

    def clear(self) -> None:
        """Forget what was exported."""
        self._exporter.clear()


def instrumentors(peer: str) -> list[Any]:
    """A peer's instrumentors, of those transports and SDKs that are installed."""
    makers = [one.split(":") for one in PEERS[peer]]
    return [getattr(import_module(module), name)() for module, name in makers]


def put_on(name: str, spans: Spans) -> None:
    if name == "l0":
        spans.instrument()
        return
    for one in instrumentors(name):
        one.instrument(tracer_provider=spans.provider)


def take_off(name: str) -> None:
    if name == "l0":
        l0.uninstrument()
        return
    for one in instrumentors(name):
        if one.is_instrumented_by_opentelemetry:
            one.uninstrument()


@pytest.fixture
def watched(sim: Simulator) -> Iterator[Watched]:
    """Yield an exporter of spans; remove all instrumentations at the end."""
    yield Watched()
    for name in ("l0", *PEERS):
        take_off(name)
    for kind in (openai.OpenAI, openai.AsyncOpenAI):  # OpenInference leaves there what the base class had
        if "request" in vars(kind):
            del kind.request


# -- calls ----------------------------------------------------------------------------------------------------------


def embed(sim: Simulator) -> Any:
    return [chat_client(sim).embeddings.create(model="text-embedding-3-small", input="hi", encoding_format="float")]


async def _streamed(opened: Any) -> list[Any]:
    return [item async for item in await opened]


async def achat(sim: Simulator) -> list[Any]:
    async with async_chat_client(sim) as client:
        return await _streamed(client.chat.completions.create(**CHATTING, stream=True))


async def amessages(sim: Simulator) -> list[Any]:
    async with async_claude(sim) as client:
        return await _streamed(client.messages.create(**MESSAGING, stream=True))


CALLS: dict[str, Make] = {
    "chat": lambda sim: list(chat_client(sim).chat.completions.create(**CHATTING, stream=True)),
    "chat in one piece": lambda sim: [chat_client(sim).chat.completions.create(**CHATTING)],
    "responses": lambda sim: list(chat_client(sim).responses.create(**RESPONDING, stream=True)),
    "messages": lambda sim: list(claude(sim).messages.create(**MESSAGING, stream=True)),
    "messages in one piece": lambda sim: [claude(sim).messages.create(**MESSAGING)],
    "chat, async": lambda sim: asyncio.run(achat(sim)),
    "messages, async": lambda sim: asyncio.run(amessages(sim)),
    "embeddings": embed,
}


_OWN_TO_EACH = {"id", "created", "created_at", "obfuscation", "item_id", "request_id"}


def plain(items: Any) -> Any:
    """The SDK's objects as data, without what differs from answer to answer."""

    def masked(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: masked(part) for key, part in value.items() if key not in _OWN_TO_EACH}
        return [masked(part) for part in value] if isinstance(value, list | tuple) else value

    return masked(dumped(items))


# -- spans ----------------------------------------------------------------------------------------------------------


def attributes(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


def inference(spans: Spans) -> list[ReadableSpan]:
    """Spans that say of themselves that they are a model's call."""
    kinds = ("LLM", "EMBEDDING")
    return [
        span
        for span in spans.all
        if "gen_ai.operation.name" in attributes(span) or attributes(span).get("openinference.span.kind") in kinds
    ]


def below(spans: Spans, parent: ReadableSpan) -> list[str]:
    """Names of the spans directly under one."""
    assert parent.context is not None
    return [span.name for span in spans.all if span.parent and span.parent.span_id == parent.context.span_id]


def one_call(spans: Spans) -> ReadableSpan:
    """The one inference span; everything else is in its trace, under it."""
    (call,) = inference(spans)
    assert call.context is not None
    assert {span.context.trace_id for span in spans.all if span.context} == {call.context.trace_id}
    assert [span.name for span in spans.all if span.parent is None] == [call.name]
    return call


# -- tests ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", ORDERS, ids="+".join)
@pytest.mark.parametrize("kind", CALLS)
def test_one_inference_span_and_the_same_chunks_in_every_order(
    sim: Simulator, watched: Watched, kind: str, order: Sequence[str]
) -> None:
    bare = plain(CALLS[kind](sim))
    for name in order:
        put_on(name, watched)
    assert plain(CALLS[kind](sim)) == bare
    call = one_call(watched)
    # OpenTelemetry's own span of a Responses stream has ended with `response.completed`, before the body does.
    assert attributes(call).get("l0.outcome") == (None if kind == "responses" and "genai" in order else "ok")
    assert below(watched, call) == ["POST"]


@pytest.mark.parametrize("order", ORDERS, ids="+".join)
@pytest.mark.parametrize("kind", ["chat", "messages", "chat, async"])
def test_attempts_hang_below_the_one_span(sim: Simulator, watched: Watched, kind: str, order: Sequence[str]) -> None:
    for name in order:
        put_on(name, watched)
    sim.script(Fault.cut(at_event=1))
    assert CALLS[kind](sim)
    call = one_call(watched)
    assert attributes(call)["l0.outcome"] == "recovered_retry"
    assert sorted(below(watched, call)) == ["POST", "POST", "attempt 1", "attempt 2"]


@pytest.mark.parametrize("order", ORDERS, ids="+".join)
@pytest.mark.parametrize("sdk", ["openai", "anthropic"])
def test_what_is_broken_off_is_no_error_and_not_lost(
    sim: Simulator, watched: Watched, sdk: str, order: Sequence[str]
) -> None:
    for name in order:
        put_on(name, watched)
    if sdk == "openai":
        stream: Any = chat_client(sim).chat.completions.create(**CHATTING, stream=True)
    else:
        stream = claude(sim).messages.create(**MESSAGING, stream=True)
    with stream:
        for _ in stream:
            break
    call = one_call(watched)
    assert attributes(call)["l0.outcome"] == "cancelled"
    assert call.status.status_code.name != "ERROR"


def blinded(on: Sequence[str], left: Sequence[str]) -> bool:
    """OpenInference, taken off, puts the SDK's function back on the class where it found it: below what l0, which came
    later, has patched. Until l0 is taken off and put on again, it sees no call of these clients."""
    return "openinference" in on[: on.index("l0")] and "openinference" not in left


@pytest.mark.parametrize(("on", "off"), BOTH_WAYS, ids="+".join)
def test_remaining_instrumentations_report_as_if_alone(
    sim: Simulator, watched: Watched, on: Sequence[str], off: Sequence[str]
) -> None:
    for name in on:
        put_on(name, watched)
    left = list(on)
    for name in off:
        take_off(name)
        left.remove(name)
        for kind in ("chat", "messages"):
            sees = set(left) - ({"l0"} if kind == "chat" and blinded(on, left) else set())
            watched.clear()
            assert CALLS[kind](sim)
            assert len(inference(watched)) == (1 if sees - {"httpx"} else 0), (left, kind)
            assert ("POST" in [span.name for span in watched.all]) == ("httpx" in left), (left, kind)
            known = [span for span in watched.all if "l0.outcome" in attributes(span)]
            assert len(known) == (1 if "l0" in sees else 0), (left, kind)


def test_second_instrument_call_patches_again_after_another_library(sim: Simulator, watched: Watched) -> None:
    put_on("openinference", watched)
    put_on("l0", watched)
    take_off("openinference")
    take_off("l0")
    put_on("l0", watched)
    assert CALLS["chat"](sim)
    assert attributes(one_call(watched))["l0.outcome"] == "ok"
