"""Repeats of calls that a provider keeps or acts on, and of calls through clients that ask for none."""

import asyncio
import json
from typing import Any

import openai
import pytest
from installed import needs_responses
from journeys_kit import HELLO, Spans, async_chat_client, chat_client, claude, sync_and_async

import l0
from l0.simulator.faults import Fault
from l0.simulator.server import Simulator

pytestmark = needs_responses
AT_ONCE = l0.Retry(base_delay=0)
CREATED = Fault.cut(at_event=2)
"""The connection ends after ``response.created``, before any content."""


def respond(sim: Simulator, sync: bool, *, client: dict[str, Any] | None = None, **more: Any) -> str:
    """The text of a streamed response, as a framework asks for one: without a word about ``store``."""
    request: dict[str, Any] = {"model": "gpt-4o", "input": "hi", "stream": True, **more}

    async def arespond() -> str:
        async with async_chat_client(sim, **client or {}) as opened:
            return "".join([event.delta async for event in await opened.responses.create(**request) if has_text(event)])

    if not sync:
        return asyncio.run(arespond())
    return "".join(
        event.delta for event in chat_client(sim, **client or {}).responses.create(**request) if has_text(event)
    )


def has_text(event: Any) -> bool:
    return bool(event.type == "response.output_text.delta")


@sync_and_async
@pytest.mark.parametrize("more", [{}, {"store": True}, {"tools": [{"type": "web_search"}]}], ids=str)
def test_a_response_that_nobody_has_seen_is_retried(
    sim: Simulator, spans: Spans, sync: bool, more: dict[str, Any]
) -> None:
    whole = respond(sim, sync, **more)
    sim.reset()
    sim.script(CREATED)
    assert respond(sim, sync, **more) == whole
    assert (len(sim.requests), spans.ends[-1][0]) == (2, "recovered_retry")


@sync_and_async
@pytest.mark.parametrize("more", [{"conversation": "conv_1"}, {"background": True}], ids=str)
def test_a_response_with_an_effect_is_not_retried(
    sim: Simulator, spans: Spans, sync: bool, more: dict[str, Any]
) -> None:
    sim.script(CREATED)
    with pytest.raises(l0.StreamInterrupted):
        respond(sim, sync, **more)
    assert (len(sim.requests), spans.ends[-1][0]) == (1, "failed")


@sync_and_async
@pytest.mark.parametrize(
    ("replay", "more", "requests"),
    [
        ("always", {"conversation": "conv_1"}, 2),
        ("safe", {"conversation": "conv_1"}, 1),
        ("safe", {"store": False}, 2),
        ("never", {"store": False}, 1),
    ],
)
def test_replay_says_what_is_retried(
    sim: Simulator, spans: Spans, sync: bool, replay: Any, more: dict[str, Any], requests: int
) -> None:
    sim.script(CREATED)
    with l0.policy(replay=replay):
        if requests == 1:
            with pytest.raises(l0.StreamInterrupted):
                respond(sim, sync, **more)
        else:
            assert respond(sim, sync, **more)
    assert len(sim.requests) == requests


@sync_and_async
def test_never_still_retries_what_was_refused(sim: Simulator, spans: Spans, sync: bool) -> None:
    sim.script(Fault.status(503))
    with l0.policy(replay="never"):
        assert respond(sim, sync)
    assert len(sim.requests) == 2


@sync_and_async
def test_a_policy_in_shadow_mode_says_what_it_would_not_retry(sim: Simulator, spans: Spans, sync: bool) -> None:
    sim.script(CREATED)
    with l0.policy(mode="shadow", replay="never", retry=AT_ONCE):
        assert respond(sim, sync)
    (decision,) = [event for span in spans.all for event in span.events if event.name == "l0.shadow"]
    assert (decision.attributes or {})["l0.shadow.action"] == "raise"


POLICIES = {
    "retry": l0.Policy(retry=AT_ONCE, truncation="strict"),
    "hold": l0.Policy(hold="message", truncation="strict"),
    "agent": l0.Policy.agent(),
}


@sync_and_async
@pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES)
@pytest.mark.parametrize("fault", [Fault.status(503), CREATED], ids=["refused", "broken"])
def test_an_explicit_policy_beats_max_retries_of_zero(
    sim: Simulator, sync: bool, policy: l0.Policy, fault: Fault
) -> None:
    """As dspy and litellm set it on their clients."""
    l0.instrument(policy)
    sim.script(fault)
    assert respond(sim, sync, client={"max_retries": 0})
    assert [request.headers["x-stainless-retry-count"] for request in sim.requests] == ["0", "1"]


@sync_and_async
def test_the_default_obeys_max_retries_of_zero(sim: Simulator, sync: bool) -> None:
    l0.instrument()
    sim.script(CREATED)
    with pytest.raises(l0.StreamInterrupted):
        respond(sim, sync, client={"max_retries": 0})
    assert len(sim.requests) == 1


@sync_and_async
def test_the_agent_preset_retries_an_answer_that_broke_after_its_first_words(sim: Simulator, sync: bool) -> None:
    l0.instrument(l0.Policy.agent())
    whole = respond(sim, sync)  # its end shows that this server sends terminal events
    sim.reset()
    sim.script(Fault.cut(at_event=8), Fault.clean_end(at_event=8))
    assert respond(sim, sync, client={"max_retries": 0}) == whole
    assert len(sim.requests) == 3


def test_whole_answers_and_the_other_sdk_beat_zero_as_well(sim: Simulator) -> None:
    l0.instrument(l0.Policy(retry=AT_ONCE))
    sim.script(Fault.status(503), None, Fault.status(529))
    assert chat_client(sim, max_retries=0).responses.create(model="gpt-4o", input="hi").output_text
    assert claude(sim, max_retries=0).messages.create(model="claude-test", max_tokens=4096, messages=HELLO).content
    assert len(sim.requests) == 4


def test_a_body_that_can_be_read_once_is_sent_once(sim: Simulator, caplog: pytest.LogCaptureFixture) -> None:
    l0.instrument(l0.Policy(retry=AT_ONCE))
    sim.script(Fault.status(503))
    body = iter([json.dumps({"model": "gpt-4o", "messages": HELLO}).encode()])
    with chat_client(sim) as client, pytest.raises(openai.InternalServerError):
        client.post("/chat/completions", content=body, cast_to=object)
    assert len(sim.requests) == 1
    assert "no further attempt: the body of the request can be read only once" in caplog.text
    assert "max_retries" not in caplog.text
