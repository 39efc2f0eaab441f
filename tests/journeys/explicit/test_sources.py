"""Every shape of answer that the SDKs give is read: with the SDKs patched and without, sync and async."""

import json
from collections.abc import Iterator
from typing import Any

import anthropic
import openai
import pytest
from explicit_kit import ANTHROPIC, OPENAI, Ask, asks, async_client, chat, client, completions, messages, responses

from l0 import Event, EventType, Hold, Policy, Retry, UnknownStreamError, l0
from l0.model.policy import HoldMode
from l0.simulator.corpus import bundled_answer
from l0.simulator.faults import Fault
from l0.simulator.ledger import Reply
from l0.simulator.server import Simulator

pytestmark = pytest.mark.anyio
EVERY = [*OPENAI, *ANTHROPIC]
QUICK = Retry(base_delay=0.001, max_delay=0.001)


@asks(*EVERY)
async def test_every_shape_is_read_in_async_code(sim: Simulator, standing: str, ask: Ask) -> None:
    async with async_client(sim, ask) as made, await l0(stream=lambda: ask(made)) as stream:
        events = [event async for event in stream]
    assert "".join(event.text for event in events if event.is_token) == bundled_answer("greeting").text
    assert events[-1].type is EventType.COMPLETE
    assert stream.state.completed
    assert len(sim.requests) == 1


@asks(*EVERY)
def test_every_shape_is_read_in_sync_code(sim: Simulator, standing: str, ask: Ask) -> None:
    with client(sim, ask) as made, l0.run_sync(stream=lambda: ask(made)) as stream:
        assert stream.read() == bundled_answer("greeting").text


@asks(chat, messages)
async def test_a_sync_client_is_read_beside_the_event_loop(sim: Simulator, standing: str, ask: Ask) -> None:
    with client(sim, ask) as made:
        stream = await l0(stream=lambda: ask(made))
        assert await stream.read() == bundled_answer("greeting").text


HOLDS: list[HoldMode] = ["first_content", "message"]
TOOLS = bundled_answer("parallel_tools")


def flaw(seen: list[Any], events: list[Any]) -> str | None:
    """Return ``None`` if each call is there once, complete and in order, before the answer's end; else the flaw."""
    calls = [event.data for event in events if event.type is EventType.TOOL_CALL]
    if seen != calls:
        return f"told {seen}, handed over {calls}"
    made = [(call.name, json.loads(call.arguments)) for call in TOOLS.tool_calls]
    if [(call.name, call.arguments) for call in calls] != made:
        return f"not the calls that were made: {calls}"
    if [json.loads(call.raw) for call in calls] != [call.arguments for call in calls]:
        return f"not as the model wrote them: {calls}"
    if len({call.id for call in calls} - {""}) != len(calls):
        return f"ids are missing or doubled: {calls}"
    kinds = [event.type for event in events]
    return None if kinds.count(EventType.COMPLETE) == 1 and kinds[-1] is EventType.COMPLETE else f"the end: {kinds}"


@pytest.mark.parametrize("hold", HOLDS)
@asks(*(ask for ask in EVERY if ask is not completions))
async def test_tool_calls_come_whole_and_once(sim: Simulator, standing: str, ask: Ask, hold: HoldMode) -> None:
    sim.script(TOOLS)
    seen: list[Any] = []
    async with async_client(sim, ask) as made:
        stream = await l0(stream=lambda: ask(made), on_tool_call=seen.append, policy=Policy(hold=hold))
        assert flaw(seen, [event async for event in stream]) is None


@pytest.mark.parametrize("hold", HOLDS)
@asks(*(ask for ask in EVERY if ask is not completions))
def test_tool_calls_come_whole_and_once_in_sync_code(sim: Simulator, standing: str, ask: Ask, hold: HoldMode) -> None:
    sim.script(TOOLS)
    seen: list[Any] = []
    with (
        client(sim, ask) as made,
        l0.run_sync(stream=lambda: ask(made), on_tool_call=seen.append, policy=Policy(hold=hold)) as stream,
    ):
        assert flaw(seen, list(stream)) is None


@asks(chat, responses, messages)
async def test_incomplete_tool_call_is_not_reported(sim: Simulator, standing: str, ask: Ask) -> None:
    sim.script(Reply(answer=TOOLS, fault=Fault.cut(at_event=4)), TOOLS)
    seen: list[Any] = []
    async with async_client(sim, ask, max_retries=0) as made:
        stream = await l0(stream=lambda: ask(made), on_tool_call=seen.append, retry=QUICK)
        assert flaw(seen, [event async for event in stream]) is None
    assert len(sim.requests) == 2


@asks(chat, responses, messages)
async def test_a_break_before_the_first_word_is_retried_once(sim: Simulator, standing: str, ask: Ask) -> None:
    sim.script(Fault.status(503), Fault.empty())
    async with async_client(sim, ask, max_retries=0) as made:
        stream = await l0(stream=lambda: ask(made), retry=QUICK)
        assert await stream.read() == bundled_answer("greeting").text
    assert stream.state.attempts == len(sim.requests) == 3


@asks(chat, responses, messages)
async def test_retries_of_the_sdk_are_off_inside(sim: Simulator, spans: Any, ask: Ask) -> None:
    sim.script(*[Fault.status(500)] * 9)
    async with async_client(sim, ask, max_retries=5) as made:
        with pytest.raises((openai.InternalServerError, anthropic.InternalServerError)):
            await l0(stream=lambda: ask(made), retry=Retry(max_retries=2, base_delay=0.001))
    assert len(sim.requests) == 3


async def test_a_cut_stream_is_no_success(sim: Simulator, standing: str) -> None:
    async with async_client(sim, messages) as made:
        await (await l0(stream=lambda: messages(made))).read()  # an origin that ends its streams
        sim.script(*[Fault.clean_end(at_event=4)] * 9)
        stream = await l0(stream=lambda: messages(made), retry=QUICK)
        with pytest.raises(anthropic.APIConnectionError if standing == "patched" else ConnectionError):
            await stream.read()
    assert not stream.state.completed
    assert stream.state.error is not None


async def test_raw_hands_out_the_sdks_own_objects(sim: Simulator, standing: str) -> None:
    async with async_client(sim, chat) as made:
        stream = await l0(stream=lambda: chat(made))
        kinds = {type(chunk).__name__ async for chunk in stream.raw()}
    assert kinds == {"ChatCompletionChunk"}
    assert stream.state.content == bundled_answer("greeting").text
    with pytest.raises(RuntimeError, match="before reading"):
        stream.raw()


async def test_fallbacks_across_providers(sim: Simulator, standing: str) -> None:
    sim.script(Fault.status(401))
    seen: list[Any] = []
    async with async_client(sim, chat) as first, async_client(sim, messages) as second:
        stream = await l0(
            stream=lambda: chat(first), fallbacks=[lambda: messages(second)], on_fallback=seen.append, retry=QUICK
        )
        assert await stream.read() == bundled_answer("greeting").text
    assert [request.path for request in sim.requests] == ["/v1/chat/completions", "/v1/messages"]
    assert (stream.state.leg, [attempt.leg for attempt in seen]) == (1, [1])


async def test_unsupported_source_is_named_in_the_error(sim: Simulator) -> None:
    async with async_client(sim, chat) as made:
        with pytest.raises(UnknownStreamError, match=r"openai\.types\.\S*ModerationCreateResponse|builtins\.dict"):
            await l0(stream=lambda: {"a": 1})
        assert made is not None


@pytest.mark.parametrize(("resume", "kinds"), [("off", "ppt"), ("exact", "ppt"), ("restart", "prpt")])
def test_source_that_has_sent_only_progress_is_called_again(resume: Any, kinds: str) -> None:
    calls: list[int] = []

    def source() -> Iterator[Any]:
        calls.append(1)
        yield Event(EventType.PROGRESS, "", {"call": len(calls)})
        if len(calls) == 1:
            raise ConnectionError("broken before its first text")
        yield "All is well."

    policy = Policy(retry=Retry(base_delay=0), hold=Hold(seconds=0), resume=resume)
    events = list(l0.run_sync(source, policy=policy))
    assert "".join(event.type[0] for event in events if event.type != "complete") == kinds
