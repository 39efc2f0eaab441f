"""JSON that the length limit of its request cut: never closed by a repair, and not requested again in vain."""

import asyncio
import re
from collections.abc import Callable
from typing import Any

import pydantic
import pytest
from journeys_kit import (
    CHATTING,
    FAILED,
    HELLO,
    RESPONDING,
    Spans,
    chat_client,
    client_of,
)

import l0
from l0.simulator.answers import Answer, SimulatedToolCall
from l0.simulator.ledger import Reply
from l0.simulator.server import Simulator


class Note(pydantic.BaseModel):
    text: str


MESSAGING: dict[str, Any] = {"model": "claude-test", "messages": HELLO}
SHORT: dict[str, dict[str, int]] = {
    "chat": {"max_tokens": 8},
    "responses": {"max_output_tokens": 8},
    "messages": {"max_tokens": 8},
}
OPEN: dict[str, Callable[[Any, dict[str, Any]], Any]] = {
    "chat": lambda client, more: client.chat.completions.create(**CHATTING, **more),
    "responses": lambda client, more: client.responses.create(**RESPONDING, **more),
    "messages": lambda client, more: client.messages.create(**MESSAGING, **more),
}
REASONS = {"chat": "length", "responses": "incomplete", "messages": "max_tokens"}
LONG = Answer(text='{"text": "Do not pay the invoice before Friday."}')
NOW = l0.Retry(attempts=2, base_delay=0, max_delay=0)
every = pytest.mark.parametrize("dialect", OPEN)
streamed = pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])


def run(sim: Simulator, dialect: str, use: Callable[[Callable[[], Any]], Any], **more: Any) -> Any:
    """Return what ``use`` makes of a source: a function that sends the request."""
    body = {**({"max_tokens": 4096} if dialect == "messages" else {}), **more}

    async def main() -> Any:
        async with client_of(sim, dialect, sync=False) as client:
            return await use(lambda: OPEN[dialect](client, body))

    return asyncio.run(main())


def structured(schema: Any, **options: Any) -> Callable[[Callable[[], Any]], Any]:
    return lambda source: l0.structured(schema, source, retry=NOW, **options)


@every
@streamed
@pytest.mark.parametrize("on", [True, False], ids=["instrumented", "plain"])
def test_structured_names_the_limit_and_makes_one_request(sim: Simulator, dialect: str, stream: bool, on: bool) -> None:
    (l0.instrument if on else l0.uninstrument)()
    sim.script(*[Reply(answer=LONG)] * 3)
    reason = re.escape(f'reached the length limit (finish reason "{REASONS[dialect]}")')
    with pytest.raises(l0.StreamInterrupted, match=reason) as caught:
        run(sim, dialect, structured(Note), stream=stream, **SHORT[dialect])
    assert caught.value.reason == "guardrail_violation"
    assert len(sim.requests) == 1


@every
def test_array_does_not_lose_its_last_items(sim: Simulator, dialect: str) -> None:
    sim.script(Reply(answer=Answer(text='[{"text": "one"}, {"text": "two"}]')))
    with pytest.raises(l0.StreamInterrupted, match="length limit"):
        run(sim, dialect, lambda source: l0.structured_array(Note, source), stream=True, **SHORT[dialect])


@every
def test_growing_value_fails_at_its_end(sim: Simulator, dialect: str) -> None:
    sim.script(*[Reply(answer=LONG)] * 3)

    async def grow(source: Any) -> None:
        async with await l0.structured_stream(Note, source, retry=NOW, resume="restart") as growing:
            await growing.result()

    with pytest.raises(l0.StreamInterrupted, match="length limit"):
        run(sim, dialect, grow, stream=True, **SHORT[dialect])
    assert len(sim.requests) == 1


@every
@streamed
def test_json_that_is_complete_at_the_limit_is_accepted(sim: Simulator, dialect: str, stream: bool) -> None:
    sim.script(Reply(answer=Answer(text='```json\n{"text": "Pay,"}\n```\nNote tha', stop="length")))
    assert run(sim, dialect, structured(Note), stream=stream).value == Note(text="Pay,")


@streamed
def test_number_that_may_go_on_is_not_accepted(sim: Simulator, stream: bool) -> None:
    sim.script(Reply(answer=Answer(text="12", stop="length")), Reply(answer=Answer(text="12")))
    with pytest.raises(l0.StreamInterrupted, match="length limit"):
        run(sim, "chat", structured(int), stream=stream)
    assert run(sim, "chat", structured(int), stream=stream).value == 12


def test_reasoning_that_uses_up_the_limit_is_named(sim: Simulator) -> None:
    sim.script(Reply(answer=Answer(reasoning="Let me think.", stop="length")))
    with pytest.raises(l0.StreamInterrupted, match="length limit"):
        run(sim, "chat", structured(Note), stream=True)


def test_json_that_a_filter_cut_is_requested_again(sim: Simulator) -> None:
    cut = Answer(text='{"text": "Do not', stop="content_filter")
    sim.script(Reply(answer=cut), Reply(answer=LONG))
    answer = run(sim, "chat", structured(Note), stream=True)
    assert answer.value.text == "Do not pay the invoice before Friday."
    assert "stopped at a filter" in str(answer.state.failures[0])


SCHEMA: dict[str, Any] = {"type": "json_schema", "json_schema": {"name": "note", "schema": Note.model_json_schema()}}


@streamed
@pytest.mark.parametrize("dialect", ["chat", "messages"])
def test_requested_schema_makes_one_request(sim: Simulator, spans: Spans, dialect: str, stream: bool) -> None:
    l0.instrument(l0.Policy(structured=True, retry=NOW))
    sim.script(*[Reply(answer=LONG)] * 3)
    shape = {"type": "json_schema", "schema": Note.model_json_schema()}
    more = {"response_format": SCHEMA} if dialect == "chat" else {"extra_body": {"output_config": {"format": shape}}}
    client = client_of(sim, dialect)
    with pytest.raises(l0.StreamInterrupted, match="length limit"):
        list(OPEN[dialect](client, {**more, **SHORT[dialect], "stream": stream}))
    assert len(sim.requests) == 1
    assert spans.ends == [FAILED]


@streamed
def test_arguments_that_the_limit_cut_make_one_request(sim: Simulator, stream: bool) -> None:
    l0.instrument(l0.Policy(structured=True, retry=NOW))
    cut = Answer(tool_calls=(SimulatedToolCall(name="note", arguments='{"text": "Do n'),), stop="length")
    sim.script(*[Reply(answer=cut)] * 3)
    function = {"name": "note", "parameters": Note.model_json_schema(), "strict": True}
    tools = [{"type": "function", "function": function}]
    with pytest.raises(l0.StreamInterrupted, match="the arguments for note reached the length limit"):
        list(chat_client(sim).chat.completions.create(**CHATTING, tools=tools, stream=stream))  # type: ignore[arg-type]  # one test for both
    assert len(sim.requests) == 1
