"""Whose child the span of a call is, that there is no other for it, and that telling it stands in nobody's way."""

import asyncio
import logging
import threading
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import anthropic
import pytest
from aws_stubs import stub_aws
from journeys_kit import (
    CHATTING,
    MESSAGING,
    OPEN,
    Spans,
    async_chat_client,
    chat_client,
    claude,
    exhausted,
    sync_and_async,
)
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan

import l0
from l0.simulator.faults import Fault
from l0.simulator.ledger import Reply
from l0.simulator.server import Simulator
from l0.testing import simulator


def test_the_parent_is_the_span_of_the_call(sim: Simulator, spans: Spans) -> None:
    with spans.tracer.start_as_current_span("caller") as caller:
        stream = OPEN["chat"](sim)
        assert trace.get_current_span() is caller
    with spans.tracer.start_as_current_span("consumer") as consumer:
        for _ in stream:
            assert trace.get_current_span() is consumer
    ours = next(span for span in spans.all if span.name.startswith("chat"))
    assert ours.parent is not None
    assert ours.parent.span_id == caller.get_span_context().span_id


def test_parents_in_threads_and_tasks(sim: Simulator, spans: Spans) -> None:
    def in_thread(number: int) -> None:
        with spans.tracer.start_as_current_span(f"thread {number}"):
            exhausted(OPEN["messages"](sim))

    async def in_task(client: Any, number: int) -> None:
        with spans.tracer.start_as_current_span(f"task {number}") as mine:
            async for _ in await client.chat.completions.create(**CHATTING, stream=True):
                assert trace.get_current_span() is mine

    async def journey() -> None:
        async with async_chat_client(sim) as client:
            await asyncio.gather(*(in_task(client, number) for number in range(8)))

    threads = [threading.Thread(target=in_thread, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    asyncio.run(journey())
    for thread in threads:
        thread.join()
    parents = {span.context.span_id: span.name for span in spans.all if span.context and span.parent is None}
    children = sorted(parents[span.parent.span_id] for span in spans.all if span.parent is not None)
    assert children == sorted(
        [*(f"task {number}" for number in range(8)), *(f"thread {number}" for number in range(4))]
    )


def test_anthropics_own_span_is_replaced(sim: Simulator, spans: Spans, monkeypatch: pytest.MonkeyPatch) -> None:
    """anthropic 2 starts its own span on the global provider: with ours, exactly one reaches the exporter."""
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", spans.provider)
    with spans.tracer.start_as_current_span("caller"):
        claude(sim).messages.create(**MESSAGING)
        exhausted(claude(sim).messages.create(**MESSAGING, stream=True))
        with claude(sim).messages.stream(**MESSAGING) as stream:
            stream.until_done()
    names = [span.name for span in spans.all]
    assert names == ["chat claude-test"] * 3 + ["caller"]


def test_trace_context_goes_out_as_the_sdk_sends_it(
    sim: Simulator, spans: Spans, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", spans.provider)
    journeys: list[list[bool]] = []
    for on in (False, True):
        if not on:
            l0.uninstrument()
        else:
            spans.instrument()
        sim.reset()
        with spans.tracer.start_as_current_span("caller"):
            exhausted(claude(sim).messages.create(**MESSAGING, stream=True))
            exhausted(chat_client(sim).chat.completions.create(**CHATTING, stream=True))
        journeys.append(["traceparent" in request.headers for request in sim.requests])
    assert journeys[0] == journeys[1]


@pytest.mark.parametrize(
    ("credentials", "signed"),
    [({"aws_access_key": "a", "aws_secret_key": "s"}, True), ({"api_key": "k"}, False)],
    ids=["signed", "API key"],
)
@pytest.mark.parametrize("name", ["AnthropicBedrock", "AnthropicBedrockMantle", "AnthropicAWS"])
@sync_and_async
def test_no_signature_covers_the_trace_context(
    sim: Simulator,
    spans: Spans,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    credentials: dict[str, str],
    signed: bool,
    sync: bool,
) -> None:
    """A proxy or an instrumentation of the transport replaces it on the way, which would break the signature."""
    stub_aws(monkeypatch)
    kind: Any = getattr(anthropic, name if sync else f"Async{name}", None)
    if kind is None or not hasattr(anthropic.Anthropic(api_key="k"), "_open_telemetry"):
        pytest.skip("this SDK has no such client, or sends no trace context")
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", spans.provider)
    prepared: list[bool] = []
    prepare = kind._prepare_request
    monkeypatch.setattr(
        kind,
        "_prepare_request",
        lambda client, request: (prepared.append("traceparent" in request.headers), prepare(client, request))[1],
    )
    options = {"workspace_id": "w"} if name == "AnthropicAWS" else {}
    client = kind(aws_region="r", base_url=sim.anthropic, max_retries=0, **credentials, **options)

    async def acreate() -> None:
        async with client:
            await client.messages.create(**MESSAGING)

    spans.instrument()
    with suppress(anthropic.APIStatusError):  # the simulator has no such paths
        client.messages.create(**MESSAGING) if sync else asyncio.run(acreate())
    assert prepared == [not signed]


def test_an_observer_that_fails_breaks_nothing(
    sim: Simulator, spans: Spans, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from l0.telemetry.spans import CallSpan

    def broken(*_: Any) -> Any:
        raise RuntimeError

    caplog.set_level(logging.CRITICAL, logger="l0")
    for name in ("notify", "active", "headers"):
        with monkeypatch.context() as patch:
            patch.setattr(CallSpan, name, broken)
            assert len(list(OPEN["chat"](sim))) > 3
            assert len(list(OPEN["messages"](sim))) > 3
    del spans


def _model(span: ReadableSpan) -> object:
    """Return the model of the request that a span describes. Only a call's span has the conventional attribute."""
    attributes = span.attributes or {}
    return attributes["l0.attempt.model" if "l0.attempt.number" in attributes else "gen_ai.request.model"]


def test_attempts_of_a_fallback_name_its_server(sim: Simulator, spans: Spans) -> None:
    sim.script(Reply(fault=Fault.status(503)))
    with simulator() as spare, chat_client(spare) as other:
        ports = [urlsplit(server.openai).port for server in (sim, spare)]
        l0.instrument(provider_names={f"127.0.0.1:{ports[1]}": "spare"})
        try:
            with l0.policy(retry=l0.Retry(max_retries=0), fallback=l0.Fallback(client=other, model="other-model")):
                chat_client(sim).chat.completions.create(**CHATTING)
        finally:
            l0.instrument(provider_names={})
    called, went = (CHATTING["model"], "openai", ports[0]), ("other-model", "spare", ports[1])
    keys = ("gen_ai.provider.name", "server.port")
    found = {span.name: (_model(span), *((span.attributes or {})[key] for key in keys)) for span in spans.all}
    assert found == {f"chat {called[0]}": called, "attempt 1": called, "attempt 2": went}
    (event,) = spans.all[-1].events
    assert (event.attributes or {})["l0.fallback"] is True
