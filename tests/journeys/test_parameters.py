"""A call sends the same request as with the bare SDK, for parameters of every kind."""

from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

import anyio
import openai
import pytest
from installed import needs_responses
from journeys_kit import CHATTING, MESSAGING, async_chat_client, both_ways, chat_client, claude
from openai.types.chat import ChatCompletionMessage

import l0
from l0.simulator.faults import Fault
from l0.simulator.server import Simulator

TALK = [{"role": "user" if turn % 2 == 0 else "assistant", "content": f"turn {turn}"} for turn in range(9)]
PARTS = [{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {"url": "b"}}]}]
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {"a": {}}}}}
SAID = ChatCompletionMessage(role="assistant", content="said before")


def _turns() -> Iterator[dict[str, Any]]:
    yield from TALK


CHATS: dict[str, Callable[[], dict[str, Any]]] = {
    "a conversation": lambda: {"messages": TALK},
    "parts": lambda: {"messages": PARTS},
    "an object of the SDK's": lambda: {"messages": [*TALK, SAID, TALK[0]]},
    "a tuple": lambda: {"messages": tuple(TALK)},
    "a generator": lambda: {"messages": _turns()},
    "tools": lambda: {
        "messages": TALK,
        "tools": [TOOL],
        "tool_choice": {"type": "function", "function": {"name": "f"}},
    },
    "not given": lambda: {"messages": TALK, "temperature": openai.NOT_GIVEN},
    "keys of its own": lambda: {"messages": [{"role": "user", "content": "x", "own": {"a": [1, {"b": None}]}}]},
    "extra": lambda: {"messages": TALK, "extra_body": {"messages": TALK[:1], "more": [1]}},
    "numbers": lambda: {"messages": TALK, "temperature": 1, "logit_bias": {"1": 2}, "stop": ["a", "b"]},
}


@pytest.mark.parametrize("asked", CHATS.values(), ids=CHATS)
def test_chat(sim: Simulator, asked: Callable[[], dict[str, Any]]) -> None:
    def journey(sim: Simulator) -> Any:
        for _ in range(2):  # the first time is compared with the SDK's own
            chat_client(sim).chat.completions.create(model="m", **asked())
        return [request.body for request in sim.requests]

    bare, ours = both_ways(sim, journey)
    assert bare == ours
    assert ours[0]["model"] == "m"


@pytest.mark.parametrize("asked", CHATS.values(), ids=CHATS)
def test_async_chat(sim: Simulator, asked: Callable[[], dict[str, Any]]) -> None:
    async def journey() -> Any:
        async with async_chat_client(sim) as client:
            for _ in range(2):
                await client.chat.completions.create(model="m", **asked())
        return [request.body for request in sim.requests]

    bare, ours = both_ways(sim, lambda _: anyio.run(journey))
    assert bare == ours


@needs_responses
@pytest.mark.parametrize(
    "asked", ["hello", TALK, [*TALK, {"type": "function_call_output", "call_id": "c", "output": "o"}]]
)
def test_responses(sim: Simulator, asked: Any) -> None:
    def journey(sim: Simulator) -> Any:
        chat_client(sim).responses.create(model="m", input=asked, reasoning={"effort": "low"}, include=[])
        return sim.requests[0].body

    bare, ours = both_ways(sim, journey)
    assert bare == ours


@pytest.mark.parametrize("asked", [TALK, tuple(TALK), [{"role": "user", "content": [{"type": "text", "text": "a"}]}]])
def test_messages(sim: Simulator, asked: Any) -> None:
    def journey(sim: Simulator) -> Any:
        claude(sim).messages.create(**MESSAGING | {"messages": asked, "metadata": {"user_id": "u"}})
        return sim.requests[0].body

    bare, ours = both_ways(sim, journey)
    assert bare == ours


def test_the_users_own_objects_stay_as_they_are_and_may_change_later(sim: Simulator) -> None:
    l0.instrument()
    messages = deepcopy(TALK)
    sim.script(Fault.cut(at_event=0))
    stream = (
        chat_client(sim).with_options(max_retries=2).chat.completions.create(model="m", messages=messages, stream=True)
    )
    assert messages == TALK
    messages[0]["content"] = "something else"
    for _ in stream:
        pass
    first, second = sim.requests
    assert first.body == second.body
    assert first.body["messages"] == TALK


def test_parameters_that_are_wrong_fail_as_they_do_bare(sim: Simulator) -> None:
    def journey(sim: Simulator) -> Any:
        with pytest.raises(TypeError) as raised:
            chat_client(sim).chat.completions.create(**CHATTING | {"messages": [{"role": object()}]})
        return str(raised.value)

    bare, ours = both_ways(sim, journey)
    assert bare == ours
