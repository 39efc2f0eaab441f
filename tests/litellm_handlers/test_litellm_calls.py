"""Clocks, policies, routers, the proxy and many calls at once: a call of litellm is a call of l0."""

import asyncio
import gc
import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

import l0
from l0.cli.doctor import doctor
from l0.recording.recording import Recording
from l0.runtime.finalizers import LATER
from l0.simulator.answers import Answer
from l0.simulator.faults import Fault
from l0.stainless import discovery

litellm = pytest.importorskip("litellm", reason="litellm is not installed: run make test-providers")
from faults_kit import body_of  # noqa: E402 - after the check
from litellm_kit import (  # noqa: E402 - it imports litellm
    MESSAGES,
    NO_WAIT,
    OWN_WARNINGS,
    ROUTES,
    WHOLE,
    LitellmStage,
    Route,
    interruption_of,
    routes,
    sync_and_async,
    text_of,
)

pytestmark = [OWN_WARNINGS, pytest.mark.usefixtures("on")]
STREAMS = 200
DIALECTS = pytest.mark.parametrize("route", [ROUTES[0], ROUTES[1], ROUTES[-1]], ids=str)
STALL = Fault.stall(at_event=8, seconds=0.05) | Fault.cut(at_event=8)
"""A break after content that aiohttp does not read together with the content before it."""


@sync_and_async
@routes
def test_policy_retries_what_breaks_before_content(stage: LitellmStage, route: Route, sync: bool) -> None:
    with l0.policy(retry=NO_WAIT):
        seen = stage.call(route, Fault.cut(at_event=0), sync=sync)
    assert text_of(seen) == WHOLE
    assert (seen.requests, seen.spans) == (2, 1)


@sync_and_async
@routes
def test_call_passes_through_if_the_policy_turns_l0_off(stage: LitellmStage, route: Route, sync: bool) -> None:
    fault = Fault.clean_end(at_event=8)
    with l0.policy(mode="off", retry=NO_WAIT):
        off = stage.call(route, fault, sync=sync)
    l0.uninstrument()
    bare = stage.call(route, fault, sync=sync)
    assert (text_of(off), repr(off.error), off.requests) == (text_of(bare), repr(bare.error), bare.requests)
    assert off.spans == 0


@sync_and_async
@routes
def test_answer_that_is_cut_raises_an_error_of_litellm(stage: LitellmStage, route: Route, sync: bool) -> None:
    with l0.policy(retry=NO_WAIT):
        seen = stage.call(route, Fault.stall(at_event=8, seconds=0.05) | Fault.clean_end(at_event=8), sync=sync)
    interruption = interruption_of(seen.error)
    assert interruption is not None
    assert isinstance(interruption, litellm.exceptions.APIConnectionError)
    assert type(seen.error).__module__ in ("litellm.exceptions", "l0")
    assert (interruption.reason, interruption.partial_text) == ("truncated", text_of(seen))
    assert WHOLE.startswith(text_of(seen))
    assert (seen.requests, seen.spans) == (1, 1)


@sync_and_async
@DIALECTS
def test_nothing_is_retried_without_a_policy(stage: LitellmStage, route: Route, sync: bool) -> None:
    seen = stage.call(route, Fault.status(503), sync=sync)
    assert type(seen.error) is litellm.exceptions.ServiceUnavailableError
    assert (seen.requests, seen.spans) == (1, 1)


# Long where a healthy answer must also arrive in time: a slow machine needs more than 100 ms for it.
LIMITS = {
    "no headers": (Fault.no_headers(), l0.Timeout(initial_token=2_000, inter_token=None)),
    "no content": (Fault.stall(at_event=0), l0.Timeout(initial_token=2_000, inter_token=None)),
    "stall": (Fault.stall(at_event=8), l0.Timeout(initial_token=None, inter_token=100)),
    "total": (Fault.stall(at_event=8), l0.Timeout(initial_token=None, inter_token=None, total=2_000)),
}


@sync_and_async
@DIALECTS
@pytest.mark.parametrize("name", LIMITS)
def test_limit_of_time_ends_an_attempt(stage: LitellmStage, route: Route, sync: bool, name: str) -> None:
    fault, timeout = LIMITS[name]
    with l0.policy(retry=NO_WAIT, timeout=timeout):
        seen = stage.call(route, fault, sync=sync)
    if name in ("no headers", "no content"):
        assert text_of(seen) == WHOLE
        assert seen.requests == 2
        return
    interruption = interruption_of(seen.error)
    assert isinstance(interruption, litellm.exceptions.Timeout)
    assert WHOLE.startswith(text_of(seen))
    assert seen.requests == 1


@sync_and_async
def test_limit_for_the_headers_does_not_limit_the_reads(stage: LitellmStage, sync: bool) -> None:
    with l0.policy(timeout=l0.Timeout(initial_token=2_000, inter_token=None)):
        seen = stage.call(ROUTES[0], Fault.stall(at_event=8, seconds=2.5), sync=sync)
    assert text_of(seen) == WHOLE


@DIALECTS
def test_fallback_is_another_model(stage: LitellmStage, route: Route) -> None:
    with l0.policy(retry=NO_WAIT, fallback=[l0.Fallback(model="other")]):
        seen = stage.call(route, Fault.status(404), sync=True)
    assert text_of(seen) == WHOLE
    assert [request.body["model"] for request in stage.sim.requests][1:] == ["other"]
    assert seen.span is not None
    assert seen.span["l0.outcome"] == "recovered_fallback"


@sync_and_async
@DIALECTS
def test_broken_answer_is_resumed_if_the_model_repeats_it(stage: LitellmStage, route: Route, sync: bool) -> None:
    with l0.policy(retry=NO_WAIT, resume="exact"):
        seen = stage.call(route, STALL, sync=sync)
    assert seen.error is None
    assert (text_of(seen), seen.requests) == (WHOLE, 2)


def test_stream_that_its_user_leaves_ends_the_call(stage: LitellmStage) -> None:
    async def leave() -> None:
        stream = await litellm.acompletion(**stage.request(ROUTES[1]))
        async for chunk in stream:
            if chunk.choices[0].delta.content:
                break
        await stream.aclose()

    stage.sim.reset()
    stage.exporter.clear()
    stage.sim.script(Answer(tokens=20_000))
    stage.loop.run_until_complete(leave())
    gc.collect()  # older versions keep the body open until its stream is collected
    stage.loop.run_until_complete(asyncio.sleep(0.01))
    assert stage.sim.wait_idle(60)
    (span,) = [span for span in stage.exporter.get_finished_spans() if span.parent is None]
    assert (span.attributes or {})["l0.outcome"] == "cancelled"


@sync_and_async
@DIALECTS
def test_stream_that_nobody_read_ends_the_call(stage: LitellmStage, route: Route, sync: bool) -> None:
    """The server waits, so only a closed connection ends its request."""

    async def leave() -> None:
        name = "responses" if route.dialect == "responses" else "completion"
        request = stage.request(route)
        stream = getattr(litellm, name)(**request) if sync else await getattr(litellm, f"a{name}")(**request)
        cycle: list[Any] = [stream]
        cycle.append(cycle)
        del stream, cycle
        async with asyncio.timeout(60):
            while not stage.sim.wait_idle(0):
                gc.collect()
                await asyncio.sleep(0)

    stage.sim.reset()
    stage.exporter.clear()
    stage.sim.script(Fault.stall(at_event=4))
    stage.loop.run_until_complete(leave())
    LATER.finish()
    (span,) = [span for span in stage.exporter.get_finished_spans() if span.parent is None]
    assert (span.attributes or {})["l0.outcome"] == "cancelled"


@sync_and_async
def test_call_is_recorded(stage: LitellmStage, sync: bool, tmp_path: Path) -> None:
    l0.instrument(record=tmp_path)
    with l0.policy(retry=NO_WAIT):
        stage.call(ROUTES[0], Fault.cut(at_event=0), sync=sync)
    l0.instrument(record=False)
    with Recording.open(tmp_path) as recording:
        (call,) = recording
        assert [attempt.status for attempt in call.attempts] == [200, 200]
        assert b"".join(read.data for read in call.attempts[-1].reads) == body_of("messages").content


def test_many_streams_at_once(stage: LitellmStage) -> None:
    """Every fifth request breaks before content."""

    async def read() -> str:
        stream = await litellm.acompletion(**stage.request(ROUTES[0]))
        return "".join([chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices])

    async def main() -> list[str]:
        return await asyncio.gather(*(read() for _ in range(STREAMS)))

    stage.sim.reset()
    stage.exporter.clear()
    stage.sim.script(*[Fault.cut(at_event=0)] * (STREAMS // 5))
    with l0.policy(retry=l0.Retry(base_delay=0, max_delay=0)):
        texts = stage.loop.run_until_complete(main())
    assert texts == [WHOLE] * STREAMS
    assert len(stage.sim.requests) == STREAMS + STREAMS // 5
    assert len([span for span in stage.exporter.get_finished_spans() if span.parent is None]) == STREAMS


def router(stage: LitellmStage, **more: Any) -> Any:
    """A router with two groups of one deployment each."""
    base = {"api_base": stage.sim.anthropic, "api_key": "k"}
    listed = [
        {"model_name": name, "litellm_params": {"model": f"anthropic/{model}"} | base}
        for name, model in (("first", "claude-haiku-4-5"), ("second", "claude-sonnet-4-5"))
    ]
    return litellm.Router(model_list=listed, num_retries=0, **more)


@sync_and_async
def test_call_of_a_router_is_retried_before_content(stage: LitellmStage, sync: bool) -> None:
    stage.sim.reset()
    stage.sim.script(Fault.cut(at_event=0))
    with l0.policy(retry=NO_WAIT):
        request = {"model": "first", "messages": MESSAGES, "stream": True}
        seen = stage.seen("chat", request, sync=sync, owner=router(stage))
    assert (text_of(seen), seen.requests, seen.spans) == (WHOLE, 2, 1)


def test_router_falls_back_after_a_stream_that_breaks_before_content(stage: LitellmStage) -> None:
    """As after an error of litellm itself."""
    stage.sim.reset()
    stage.sim.script(Fault.cut(at_event=0))
    request = {"model": "first", "messages": MESSAGES, "stream": True}
    seen = stage.seen("chat", request, sync=False, owner=router(stage, fallbacks=[{"first": ["second"]}]))
    assert text_of(seen) == WHOLE
    assert [request.body["model"] for request in stage.sim.requests] == ["claude-haiku-4-5", "claude-sonnet-4-5"]
    assert seen.spans == 2


@pytest.mark.skipif(find_spec("apscheduler") is None, reason="litellm is installed without its extra `proxy`")
def test_proxy_is_served(stage: LitellmStage, tmp_path: Path) -> None:
    from fastapi.testclient import TestClient
    from litellm.proxy import proxy_server

    config = tmp_path / "config.yaml"
    params = {"model": ROUTES[0].model, "api_base": stage.sim.anthropic, "api_key": "k"}
    config.write_text(json.dumps({"model_list": [{"model_name": "m", "litellm_params": params}]}))
    stage.loop.run_until_complete(proxy_server.initialize(config=str(config)))
    stage.sim.reset()
    stage.exporter.clear()
    stage.sim.script(Fault.cut(at_event=0))
    l0.instrument(l0.Policy(retry=NO_WAIT))
    with TestClient(proxy_server.app) as client:
        body = client.post("/v1/chat/completions", json={"model": "m", "messages": MESSAGES, "stream": True}).text
    chunks = [json.loads(line[6:]) for line in body.splitlines() if line.startswith("data: {")]
    assert "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks) == WHOLE
    assert len(stage.sim.requests) == 2
    assert len([span for span in stage.exporter.get_finished_spans() if span.parent is None]) == 1


def test_doctor_reports_litellm(capsys: pytest.CaptureFixture[str]) -> None:
    doctor()
    assert f"litellm {discovery.installed_version('litellm')}: patched" in capsys.readouterr().out
