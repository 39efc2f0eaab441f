"""The objects of litellm are its own, whether l0 is on or off, and each request is seen once."""

from importlib.util import find_spec
from typing import Any

import pytest

import l0
from l0.simulator.answers import Answer, SimulatedToolCall
from l0.simulator.faults import Fault

litellm = pytest.importorskip("litellm", reason="litellm is not installed: run make test-providers")
from litellm_kit import (  # noqa: E402 - it imports litellm
    MESSAGES,
    NO_WAIT,
    OWN_WARNINGS,
    ROUTES,
    WHOLE,
    LitellmStage,
    Route,
    plain,
    routes,
    sync_and_async,
    text_of,
)
from traffic_kit import shipped  # noqa: E402 - after the check

pytestmark = OWN_WARNINGS
CALL = SimulatedToolCall(name="weather", arguments='{"city": "Oslo", "days": 3}')


def bodies(dialect: str) -> dict[str, bytes]:
    """The shipped answers, in a dialect."""
    return {one.name: one.content for one in shipped() if one.dialect == dialect and one.choices == 1}


WIDELY_READ = (ROUTES[0], ROUTES[1], ROUTES[-1])
"""One route for each dialect, on which all shipped answers are read. The others share the code, but for a few lines."""
FEW = ("greeting", "parallel_tools")
SEPARATED, SEPARATOR = "control_signs", r"\u2028"
"""A shipped answer with a line separator in its text, and that separator as `repr` shows it."""


@sync_and_async
@routes
def test_streamed_objects_are_those_of_litellm(stage: LitellmStage, route: Route, sync: bool) -> None:
    l0.uninstrument()
    found = {name: body for name, body in bodies(route.dialect).items() if route in WIDELY_READ or name in FEW}
    bare = {name: stage.call(route, sync=sync, body=body) for name, body in found.items()}
    stage.on()
    for name, body in found.items():
        seen = stage.call(route, sync=sync, body=body)
        assert (bare[name].error, seen.error) == (None, None), name
        if name == SEPARATED and SEPARATOR not in str(plain(bare[name])):
            assert SEPARATOR in str(plain(seen)), "litellm 1.100 splits events at this character, and loses the text"
        else:
            assert plain(seen) == plain(bare[name]), name
        assert seen.span is not None
        assert (seen.requests, seen.spans, seen.span["l0.outcome"]) == (1, 1, "ok"), name
    l0.uninstrument()


@sync_and_async
@routes
def test_complete_objects_are_those_of_litellm(stage: LitellmStage, route: Route, sync: bool) -> None:
    got = []
    for on in (False, True):
        l0.uninstrument()
        if on:
            stage.on()
        stage.sim.reset()
        stage.sim.script(Answer(text="Let me look.", tool_calls=(CALL,)))
        got.append(stage.seen(route.dialect, stage.request(route, stream=False), sync=sync))
    l0.uninstrument()
    assert (got[0].error, got[1].error) == (None, None)
    assert plain(got[1]) == plain(got[0])
    assert (got[1].requests, got[1].spans) == (1, 1)


@pytest.mark.usefixtures("on")
@routes
def test_span_names_the_provider(stage: LitellmStage, route: Route) -> None:
    span = stage.call(route, sync=False).span
    assert span is not None
    assert span["gen_ai.provider.name"] == route.provider
    assert span["gen_ai.operation.name"] == "chat"


@pytest.mark.usefixtures("on")
@sync_and_async
@pytest.mark.parametrize("route", WIDELY_READ, ids=str)
def test_complete_answer_is_retried_after_a_failure(stage: LitellmStage, route: Route, sync: bool) -> None:
    for fault in (Fault.status(503), Fault.html(), Fault.empty(), Fault.json_error(), Fault.cut()):
        stage.sim.reset()
        stage.sim.script(fault)
        with l0.policy(retry=NO_WAIT):
            seen = stage.seen(route.dialect, stage.request(route, stream=False), sync=sync)
        assert seen.error is None, fault
        assert text_of(seen) == WHOLE
        assert (seen.requests, seen.spans) == (2, 1)


@pytest.mark.usefixtures("on")
@sync_and_async
def test_calls_through_the_openai_sdk_are_seen_once(stage: LitellmStage, sync: bool) -> None:
    route = Route(model="openai/gpt-4o", provider="openai")
    with l0.policy(retry=NO_WAIT):
        seen = stage.call(route, Fault.cut(at_event=0), sync=sync, max_retries=0)
    assert text_of(seen) == WHOLE
    assert (seen.requests, seen.spans) == (2, 1)


@pytest.mark.usefixtures("on")
def test_responses_over_a_chat_model_are_one_call(stage: LitellmStage) -> None:
    """litellm answers Responses for providers that have none with their chat API."""
    stage.sim.reset()
    request = stage.request(ROUTES[1]) | {"input": "hi"}
    del request["messages"]
    seen = stage.seen("responses", request, sync=True)
    assert seen.error is None
    assert (seen.requests, seen.spans) == (1, 1)


@pytest.mark.usefixtures("on")
@sync_and_async
def test_other_requests_pass_through(stage: LitellmStage, sync: bool) -> None:
    stage.sim.reset()
    stage.exporter.clear()
    ask = {"model": "hosted_vllm/m", "input": ["hi"], "api_base": stage.sim.openai, "api_key": "k"}
    if sync:
        litellm.embedding(**ask)
    else:
        stage.loop.run_until_complete(litellm.aembedding(**ask))
    assert len(stage.sim.requests) == 1
    assert stage.exporter.get_finished_spans() == ()


@pytest.mark.usefixtures("on")
@pytest.mark.skipif(find_spec("orjson") is None, reason="litellm is installed without its extra `proxy`")
def test_anthropic_endpoint_of_litellm_is_served(stage: LitellmStage) -> None:
    async def read() -> bytes:
        ask: dict[str, Any] = {"model": ROUTES[0].model, "messages": MESSAGES, "max_tokens": 9, "stream": True}
        stream = await litellm.anthropic.messages.acreate(**ask, api_base=stage.sim.anthropic, api_key="k")
        return b"".join([part if isinstance(part, bytes) else part.encode() async for part in stream])

    stage.sim.reset()
    stage.exporter.clear()
    stage.sim.script(Fault.cut(at_event=0))
    with l0.policy(retry=NO_WAIT):
        body = stage.loop.run_until_complete(read())
    assert b"event: message_stop" in body
    assert len(stage.sim.requests) == 2
    assert len([span for span in stage.exporter.get_finished_spans() if span.parent is None]) == 1


def test_uninstrument_restores_litellm(stage: LitellmStage) -> None:
    l0.uninstrument()
    module = litellm.llms.custom_httpx.http_handler
    before = {kind: vars(kind)["post"] for kind in (module.HTTPHandler, module.AsyncHTTPHandler)}
    stage.on()
    assert all(vars(kind)["post"] is not function for kind, function in before.items())
    l0.uninstrument()
    assert all(vars(kind)["post"] is function for kind, function in before.items())


def test_few_are_shipped_answers() -> None:
    assert set(FEW) < set(bodies("chat"))
