"""A policy in shadow mode: what it would have done is told, and nothing of the call is changed by it."""

import asyncio
from datetime import timedelta
from typing import Any

import openai
import pytest
from journeys_kit import Heard, sync_and_async

import l0
from l0.simulator.answers import Answer
from l0.simulator.faults import Fault
from l0.simulator.ledger import Reply
from l0.simulator.server import Simulator

ANSWER = Answer(text="The tide comes in twice a day, and the harbour fills slowly, boat by boat.")
FORBIDDEN = l0.Guardrails.pattern_rule(["harbour"], "it speaks of the harbour", span=32)
QUICK = l0.Retry(base_delay=0.001, max_delay=0.001)


def shadow(heard: Heard) -> list[tuple[Any, Any]]:
    events = [event for event in heard.span.events if event.name == "l0.shadow"]
    return [(event.attributes["l0.shadow.action"], event.attributes.get("l0.cause")) for event in events]


def call(sim: Simulator, *faults: Fault, sync: bool, retries: int = 2, stream: bool = True) -> tuple[str, Any, int]:
    """Text, error, and the requests that the server saw."""
    sim.reset()
    sim.script(*(Reply(answer=ANSWER, fault=fault) for fault in faults), *[Reply(answer=ANSWER)] * 3)
    request: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "hi"}], "stream": stream}
    parts: list[str] = []

    def read() -> None:
        with openai.OpenAI(api_key="k", base_url=sim.openai, max_retries=retries, timeout=120) as client:
            answer: Any = client.chat.completions.create(**request)
            for chunk in answer if stream else ():
                parts.append(chunk.choices[0].delta.content or "" if chunk.choices else "")

    async def aread() -> None:
        async with openai.AsyncOpenAI(api_key="k", base_url=sim.openai, max_retries=retries, timeout=120) as client:
            answer: Any = await client.chat.completions.create(**request)
            if stream:
                async for chunk in answer:
                    parts.append(chunk.choices[0].delta.content or "" if chunk.choices else "")

    error = None
    try:
        read() if sync else asyncio.run(aread())
    except openai.APIError as raised:
        error = raised
    return "".join(parts), error, len(sim.requests)


@sync_and_async
def test_shadow_records_a_retry_without_making_it(sim, heard, sync):
    with l0.policy(mode="shadow", retry=QUICK):
        text, error, requests = call(sim, Fault.status(503), sync=sync, retries=1)
        assert (text, error, requests) == (ANSWER.text, None, 2)
    assert shadow(heard) == [("retry", "unavailable")]


@sync_and_async
def test_shadow_records_a_fallback_without_calling_it(sim, heard, sync):
    with l0.policy(mode="shadow", retry=l0.Retry(max_retries=0), fallback=l0.Fallback(model="other")):
        _, error, requests = call(sim, Fault.status(401), sync=sync)
    assert isinstance(error, openai.AuthenticationError)
    assert requests == 1
    assert shadow(heard) == [("fallback", "authentication")]


@sync_and_async
def test_shadow_does_not_resume_an_answer(sim, heard, sync):
    with l0.policy(mode="shadow", retry=QUICK, resume="splice"):
        text, error, requests = call(sim, Fault.reset(at_event=9), sync=sync)
    assert isinstance(error, openai.APIConnectionError)
    assert (ANSWER.text.startswith(text), requests) == (True, 1)
    assert shadow(heard) == [("resume", "reset")]


@sync_and_async
def test_a_clock_that_runs_out_interrupts_nothing(sim, heard, sync):
    with l0.policy(mode="shadow", timeout=l0.Timeout(initial_token=60_000, inter_token=timedelta(milliseconds=20))):
        text, error, requests = call(sim, Fault.stall(at_event=5, seconds=0.1), sync=sync)
    assert (text, error, requests) == (ANSWER.text, None, 1)
    assert shadow(heard) == [("interrupt", "stalled")]


@sync_and_async
def test_shadow_records_a_hedge_without_sending_it(sim, heard, sync):
    with l0.policy(mode="shadow", hedge=l0.Hedge(after=10)):
        text, error, requests = call(sim, Fault.stall(at_event=0, seconds=0.1), sync=sync)
    assert (text, error, requests) == (ANSWER.text, None, 1)
    assert shadow(heard) == [("hedge", None)]


@sync_and_async
@pytest.mark.parametrize("stream", [True, False])
def test_rules_record_and_fail_nothing(sim, heard, sync, stream):
    with l0.policy(mode="shadow", guardrails=FORBIDDEN, hold="message"):
        text, error, requests = call(sim, sync=sync, stream=stream)
    assert (text, error, requests) == (ANSWER.text if stream else "", None, 1)
    (event,) = [event for event in heard.span.events if event.name == "l0.guardrail.violation"]
    assert event.attributes["l0.guardrail.action"] == "shadowed"


@sync_and_async
def test_a_quiet_call_has_no_shadow(sim, heard, sync):
    with l0.policy(mode="shadow", retry=QUICK, timeout=l0.Timeout(), breaker=True, budget=True, adaptive=True):
        assert call(sim, sync=sync) == (ANSWER.text, None, 1)
    assert shadow(heard) == []
