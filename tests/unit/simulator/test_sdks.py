"""The real SDKs and their helpers with healthy answers."""

import asyncio

import anthropic
import openai
import pytest
from installed import httpx, needs_chat_helpers, needs_counting, needs_responses
from pydantic import BaseModel

from l0.simulator.answers import Answer
from l0.simulator.corpus import DEFAULT, bundled_answer
from l0.simulator.dialects.server_dialect import AnswerIdentity
from l0.simulator.server import Simulator

HELLO = bundled_answer(DEFAULT).text
ASK = [{"role": "user", "content": "hi"}]


class City(BaseModel):
    name: str
    people: int


def test_chat(client: openai.OpenAI, sim: Simulator) -> None:
    whole = client.chat.completions.create(model="gpt-4o", messages=ASK, n=2)
    assert [choice.message.content for choice in whole.choices] == [HELLO, f"{HELLO} (2)"]
    chunks = list(
        client.chat.completions.create(
            model="gpt-4o", messages=ASK, stream=True, n=2, stream_options={"include_usage": True}
        )
    )
    texts = ["", ""]
    for chunk in chunks:
        for choice in chunk.choices:
            texts[choice.index] += choice.delta.content or ""
    assert texts == [HELLO, f"{HELLO} (2)"]
    assert chunks[-1].usage == whole.usage
    assert chunks[0].id != whole.id
    assert [(r.dialect, r.answered, r.finished, r.disconnected) for r in sim.requests] == [
        ("chat", "ok", True, False)
    ] * 2
    assert sim.requests[1].sent_events == len(chunks) + 1


@needs_chat_helpers
def test_chat_helpers(client: openai.OpenAI, sim: Simulator) -> None:
    sim.script("answer parallel_tools")
    with client.chat.completions.stream(model="gpt-4o", messages=ASK) as stream:
        stream.until_done()
        message = stream.get_final_completion().choices[0].message
    assert [call.function.name for call in message.tool_calls or []] == ["get_weather", "get_weather", "get_time"]
    parsed = client.chat.completions.parse(model="gpt-4o", messages=ASK, response_format=City)
    assert parsed.choices[0].message.parsed == City(name="text", people=1)
    sim.script("answer refusal", "answer length", "answer reasoning")
    refused = client.chat.completions.parse(model="gpt-4o", messages=ASK, response_format=City)
    assert (refused.choices[0].message.refusal or "").startswith("I'm sorry")
    with pytest.raises(openai.LengthFinishReasonError):
        client.chat.completions.parse(model="gpt-4o", messages=ASK, response_format=City)
    chunks = client.chat.completions.create(model="gpt-4o", messages=ASK, stream=True)
    thoughts = [getattr(chunk.choices[0].delta, "reasoning_content", None) for chunk in chunks]
    assert "".join(filter(None, thoughts)) == bundled_answer("reasoning").reasoning


def test_raw_and_streaming_responses(client: openai.OpenAI) -> None:
    raw = client.chat.completions.with_raw_response.create(model="gpt-4o", messages=ASK)
    assert raw.headers["openai-processing-ms"]
    assert raw.parse().choices[0].message.content == HELLO
    with client.chat.completions.with_streaming_response.create(model="gpt-4o", messages=ASK, stream=True) as response:
        assert list(response.iter_lines())[-2] == "data: [DONE]"


def test_forced_tool(client: openai.OpenAI, claude: anthropic.Anthropic) -> None:
    schema = City.model_json_schema()
    tool = {"type": "function", "function": {"name": "city", "parameters": schema}}
    made = client.chat.completions.create(model="gpt-4o", messages=ASK, tools=[tool], tool_choice="required")
    call = made.choices[0].message.tool_calls[0]
    assert City.model_validate_json(call.function.arguments) == City(name="text", people=1)
    message = claude.messages.create(
        model="c",
        max_tokens=4096,
        messages=ASK,
        tools=[{"name": "city", "input_schema": schema}],
        tool_choice={"type": "tool", "name": "city"},
    )
    assert (message.stop_reason, message.content[0].input) == ("tool_use", {"name": "text", "people": 1})


@needs_responses
def test_responses(client: openai.OpenAI, sim: Simulator) -> None:
    assert client.responses.create(model="gpt-4o", input="hi").output_text == HELLO
    with client.responses.stream(model="gpt-4o", input="[[simulate: answer reasoning_text_tool]]") as stream:
        kinds = [event.type for event in stream]
        final = stream.get_final_response()
    assert kinds[0] == "response.created"
    assert kinds[-1] == "response.completed"
    assert [item.type for item in final.output] == ["reasoning", "message", "function_call", "function_call"]
    assert client.responses.parse(model="gpt-4o", input="hi", text_format=City).output_parsed is not None
    sim.script("answer length")
    events = list(client.responses.create(model="gpt-4o", input="hi", stream=True))
    assert events[-1].type == "response.incomplete"
    sim.script("answer refusal")
    assert "response.refusal.delta" in {e.type for e in client.responses.create(model="m", input="x", stream=True)}


@needs_responses
def test_stored_response_stream_continues_after_an_event(client: openai.OpenAI, sim: Simulator) -> None:
    sim.script("cut at_event=9")
    stream = client.responses.create(model="gpt-4o", input="hi", stream=True, background=True)
    last = [next(stream) for _ in range(9)][-1]
    with pytest.raises(
        (openai.APIConnectionError, httpx.RequestError)
    ):  # the latter: openai 2, which does not translate it
        next(stream)
    identifier = f"resp_{AnswerIdentity.of(0, 0).digits}"
    rest = list(client.responses.retrieve(identifier, stream=True, starting_after=last.sequence_number))
    assert [event.sequence_number for event in rest] == list(range(9, 24))
    assert rest[-1].response == client.responses.retrieve(identifier)
    client.responses.create(model="gpt-4o", input="hi", store=False)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(f"resp_{AnswerIdentity.of(0, 3).digits}")


def test_completions_embeddings_models(client: openai.OpenAI) -> None:
    assert client.completions.create(model="m", prompt="hi").choices[0].text == HELLO
    stream = client.completions.create(model="m", prompt="hi", stream=True)
    assert "".join(chunk.choices[0].text for chunk in stream) == HELLO
    made = client.embeddings.create(model="e", input=["a", "b", "a"], dimensions=12)
    plain = client.embeddings.create(model="e", input="a", dimensions=12, encoding_format="float")
    assert made.data[0].embedding == made.data[2].embedding != made.data[1].embedding
    assert made.data[0].embedding == pytest.approx(plain.data[0].embedding, abs=1e-6)
    first = client.models.list().data[0]
    assert client.models.retrieve(first.id) == first
    with pytest.raises(openai.NotFoundError, match="does not exist"):
        client.models.retrieve("nope")


def test_messages(claude: anthropic.Anthropic) -> None:
    message = claude.messages.create(model="c", max_tokens=4096, messages=ASK)
    assert message.content[0].text == HELLO
    prompt = [{"role": "user", "content": [{"type": "text", "text": "[[simulate: answer reasoning_text_tool]]"}]}]
    with claude.messages.stream(model="c", max_tokens=4096, messages=prompt) as stream:
        final = stream.get_final_message()
    assert [block.type for block in final.content] == ["thinking", "text", "tool_use", "tool_use"]
    assert final.content[0].signature or not hasattr(anthropic.types, "ThinkingBlock")  # it came with anthropic 0.47
    assert final.stop_reason == "tool_use"
    beta = claude.beta.messages.create(model="c", max_tokens=4096, messages=ASK, stream=True)
    assert [event.type for event in beta][-1] == "message_stop"


@needs_counting
def test_counting_tokens_and_models(claude: anthropic.Anthropic) -> None:
    assert claude.messages.count_tokens(model="c", messages=ASK).input_tokens == 1
    assert claude.models.list().data[0].type == "model"


def test_async_clients(sim: Simulator) -> None:
    async def main() -> tuple[str, str]:
        async with (
            openai.AsyncOpenAI(api_key="k", base_url=sim.openai) as chat,
            anthropic.AsyncAnthropic(api_key="k", base_url=sim.anthropic) as claude,
        ):
            stream = await chat.chat.completions.create(model="m", messages=ASK, stream=True)
            text = "".join([chunk.choices[0].delta.content or "" async for chunk in stream])
            async with claude.messages.stream(model="c", max_tokens=4096, messages=ASK) as events:
                return text, await events.get_final_text()

    assert asyncio.run(main()) == (HELLO, HELLO)


def test_long_answers_are_complete_on_both_paths(client: openai.OpenAI, sim: Simulator) -> None:
    for tokens in (20_000, 60_000):
        answer = Answer(tokens=tokens)
        sim.script(answer)
        with client.chat.completions.with_streaming_response.create(model="m", messages=ASK, stream=True) as response:
            body = response.read()
        assert body.count(b'"delta":{"content"') == tokens
        assert sim.requests[-1].sent_events == tokens + 3
        assert len({line.split(b'"', 4)[3] for line in body.splitlines() if line[:7] == b"data: {"}) == 1


def test_invalid_requests_get_errors_in_the_dialects_format(client: openai.OpenAI, claude: anthropic.Anthropic) -> None:
    with pytest.raises(openai.BadRequestError, match="'messages'"):
        client.post("/chat/completions", body={"model": "m"}, cast_to=object)
    with pytest.raises(openai.BadRequestError, match="'explode' is unknown; allowed are ok"):
        client.completions.create(model="m", prompt="hi", extra_headers={"x-l0-simulate": "explode"})
    with pytest.raises(anthropic.BadRequestError, match="max_tokens") as caught:
        claude.post("/v1/messages", body={"model": "m", "messages": []}, cast_to=object)
    assert caught.value.body["error"]["type"] == "invalid_request_error"
    with pytest.raises(openai.NotFoundError, match="/v1/files is not simulated"):
        client.files.list()
