"""Every shape of answer that the SDKs give is read: with the SDKs patched and without, sync and async."""

from typing import Any

import anthropic
import openai
import pytest
from explicit_kit import ANTHROPIC, OPENAI, Ask, asks, async_client, chat, client, messages, responses

from l0 import EventType, Retry, UnknownStreamError, l0
from l0.simulator.corpus import named
from l0.simulator.faults import Fault
from l0.simulator.server import Simulator

pytestmark = pytest.mark.anyio
EVERY = [*OPENAI, *ANTHROPIC]
QUICK = Retry(base_delay=0.001, max_delay=0.001)


@asks(*EVERY)
async def test_every_shape_is_read_in_async_code(sim: Simulator, standing: str, ask: Ask) -> None:
    async with async_client(sim, ask) as made, await l0(stream=lambda: ask(made)) as stream:
        events = [event async for event in stream]
    assert "".join(event.text for event in events if event.is_token) == named("greeting").text
    assert events[-1].type is EventType.COMPLETE
    assert stream.state.completed
    assert len(sim.requests) == 1


@asks(*EVERY)
def test_every_shape_is_read_in_sync_code(sim: Simulator, standing: str, ask: Ask) -> None:
    with client(sim, ask) as made, l0.run_sync(stream=lambda: ask(made)) as stream:
        assert stream.read() == named("greeting").text


@asks(chat, messages)
async def test_a_sync_client_is_read_beside_the_event_loop(sim: Simulator, standing: str, ask: Ask) -> None:
    with client(sim, ask) as made:
        stream = await l0(stream=lambda: ask(made))
        assert await stream.read() == named("greeting").text


@asks(chat, responses, messages)
async def test_tool_calls_come_whole_and_once(sim: Simulator, standing: str, ask: Ask) -> None:
    sim.script(named("parallel_tools"))
    seen: list[Any] = []
    async with async_client(sim, ask) as made:
        stream = await l0(stream=lambda: ask(made), on_tool_call=seen.append)
        calls = [event.data async for event in stream if event.type is EventType.TOOL_CALL]
    assert [(call.name, call.raw) for call in calls] == [
        (call.name, call.arguments) for call in named("parallel_tools").tool_calls
    ]
    assert all(isinstance(call.arguments, dict) and call.id for call in calls)
    assert seen == calls


@asks(chat, responses, messages)
async def test_a_break_before_the_first_word_is_repeated_once(sim: Simulator, standing: str, ask: Ask) -> None:
    sim.script(Fault.status(503), Fault.empty())
    async with async_client(sim, ask, max_retries=0) as made:
        stream = await l0(stream=lambda: ask(made), retry=QUICK)
        assert await stream.read() == named("greeting").text
    assert stream.state.attempts == len(sim.requests) == 3


@asks(chat, responses, messages)
async def test_retries_of_the_sdk_are_off_inside(sim: Simulator, spans: Any, ask: Ask) -> None:
    sim.script(*[Fault.status(500)] * 9)
    async with async_client(sim, ask, max_retries=5) as made:
        with pytest.raises((openai.InternalServerError, anthropic.InternalServerError)):
            await l0(stream=lambda: ask(made), retry=Retry(max_retries=2, base_delay=0.001))
    assert len(sim.requests) == 3


async def test_a_cut_stream_is_no_success(sim: Simulator, standing: str) -> None:
    sim.script(Fault.clean_end(at_event=4))
    async with async_client(sim, messages) as made:
        stream = await l0(stream=lambda: messages(made))
        with pytest.raises(anthropic.APIConnectionError if standing == "patched" else ConnectionError):
            await stream.read()
    assert not stream.state.completed
    assert stream.state.error is not None


async def test_raw_hands_out_the_sdks_own_objects(sim: Simulator, standing: str) -> None:
    async with async_client(sim, chat) as made:
        stream = await l0(stream=lambda: chat(made))
        kinds = {type(chunk).__name__ async for chunk in stream.raw()}
    assert kinds == {"ChatCompletionChunk"}
    assert stream.state.content == named("greeting").text
    with pytest.raises(RuntimeError, match="before reading"):
        stream.raw()


async def test_fallbacks_across_providers(sim: Simulator, standing: str) -> None:
    sim.script(Fault.status(401))
    seen: list[Any] = []
    async with async_client(sim, chat) as first, async_client(sim, messages) as second:
        stream = await l0(
            stream=lambda: chat(first), fallbacks=[lambda: messages(second)], on_fallback=seen.append, retry=QUICK
        )
        assert await stream.read() == named("greeting").text
    assert [request.path for request in sim.requests] == ["/v1/chat/completions", "/v1/messages"]
    assert (stream.state.leg, [attempt.leg for attempt in seen]) == (1, [1])


async def test_what_nobody_knows_is_named(sim: Simulator) -> None:
    async with async_client(sim, chat) as made:
        with pytest.raises(UnknownStreamError, match=r"openai\.types\.\S*ModerationCreateResponse|builtins\.dict"):
            await l0(stream=lambda: {"a": 1})
        assert made is not None
