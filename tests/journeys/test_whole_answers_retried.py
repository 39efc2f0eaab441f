"""Whole answers with status 200 that are not answers are repeated within the client's `max_retries`, by default."""

import asyncio
from typing import Any

import openai
import pytest
from installed import needs_responses
from journeys_kit import async_chat_client, async_claude, chat_client, claude

import l0
from l0.simulator.corpus import bundled_answer
from l0.simulator.faults import Fault
from l0.simulator.ledger import Reply
from l0.simulator.playback import RecordedBody
from l0.simulator.server import Simulator

CHAT: dict[str, Any] = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]}
MESSAGE: dict[str, Any] = {"model": "claude-test", "max_tokens": 4096, "messages": [{"role": "user", "content": "hi"}]}
GREETING = bundled_answer("greeting").text
JSON = "application/json"
BAD = {
    "HTML": Reply(fault=Fault.html()),
    "empty": Reply(fault=Fault.empty()),
    "half a JSON": Reply(body=RecordedBody(content=b'{"id": "c1", "choices": [{"index": 0, "mess', content_type=JSON)),
}
"""Bodies that are sent with status 200."""


@pytest.fixture(autouse=True)
def instrumented() -> Any:
    l0.instrument()
    yield
    l0.uninstrument()


def create(sim: Simulator, api: str, **options: Any) -> str:
    if api == "chat":
        return chat_client(sim, **options).chat.completions.create(**CHAT).choices[0].message.content or ""
    return claude(sim, **options).messages.create(**MESSAGE).content[0].text


async def acreate(sim: Simulator, api: str) -> str:
    if api == "chat":
        async with async_chat_client(sim) as client:
            return (await client.chat.completions.create(**CHAT)).choices[0].message.content or ""
    async with async_claude(sim) as client:
        return (await client.messages.create(**MESSAGE)).content[0].text


@pytest.mark.parametrize("flavour", ["sync", "async"])
@pytest.mark.parametrize("api", ["chat", "messages"])
@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_answer_that_is_none_is_retried(sim: Simulator, api: str, bad: Reply, flavour: str) -> None:
    sim.script(bad, bad)
    text = create(sim, api) if flavour == "sync" else asyncio.run(acreate(sim, api))
    assert text == GREETING
    assert len(sim.requests) == 3


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_max_retries_limits_the_retries_of_what_is_no_answer(sim: Simulator, bad: Reply) -> None:
    sim.script(*[bad] * 4)
    with pytest.raises((openai.APIError, ValueError)):
        create(sim, "chat", max_retries=1)
    assert len(sim.requests) == 2
    with pytest.raises((openai.APIError, ValueError)):
        create(sim, "chat", max_retries=0)
    assert len(sim.requests) == 3


@needs_responses
def test_answer_with_an_effect_on_the_server_is_not_retried(sim: Simulator) -> None:
    """The provider has stored the turn of a conversation by the time that its answer comes."""
    sim.script(BAD["half a JSON"])
    with pytest.raises((openai.APIError, ValueError)):
        chat_client(sim).responses.create(model="gpt-4o", input="hi", conversation="conv_1")
    assert len(sim.requests) == 1
