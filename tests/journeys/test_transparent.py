"""A call that succeeds bare succeeds instrumented, with the same objects: run both ways, and compared."""

from typing import Any

import anthropic
import anyio
import openai
import pytest
from installed import needs_chat_helpers, needs_counting, needs_responses
from journeys_kit import (
    CHATTING,
    HELLO,
    MESSAGING,
    OPEN,
    RESPONDING,
    Spans,
    async_chat_client,
    async_claude,
    body,
    both_ways,
    chat_client,
    claude,
    dumped,
)
from pydantic import BaseModel

import l0
from l0.simulator.ledger import Reply
from l0.simulator.playback import RecordedBody
from l0.simulator.server import Simulator


def _facts(stream: Any) -> dict[str, Any]:
    response = stream.response
    before = {
        "type": f"{type(stream).__module__}.{type(stream).__qualname__}",
        "status": response.status_code,
        "content type": response.headers["content-type"],
        "closed before": response.is_closed,
        "attributes": sorted(name for name in dir(stream) if not name.startswith("_")),
    }
    first = next(stream)
    with stream as entered:
        same = entered is stream
    return before | {"first": type(first).__name__, "enters as itself": same, "closed after": response.is_closed}


@pytest.mark.parametrize("dialect", OPEN)
def test_stream_object_is_unchanged(sim: Simulator, dialect: str) -> None:
    bare, ours = both_ways(sim, lambda sim: _facts(OPEN[dialect](sim)))
    assert bare == ours
    assert ours["closed after"]


@pytest.mark.parametrize("dialect", OPEN)
def test_the_response_is_closed_at_the_end(sim: Simulator, dialect: str) -> None:
    def journey(sim: Simulator) -> tuple[bool, bool, bool]:
        stream = OPEN[dialect](sim)
        for _ in stream:
            pass
        closed = stream.response.is_closed
        stream.close()
        return closed, stream.response.is_closed, next(stream, None) is None

    bare, ours = both_ways(sim, journey)
    assert bare == ours


def test_raw_responses(sim: Simulator) -> None:
    def journey(sim: Simulator) -> list[Any]:
        raw = chat_client(sim).chat.completions.with_raw_response.create(**CHATTING)
        streamed = chat_client(sim).chat.completions.with_raw_response.create(**CHATTING, stream=True)
        other = claude(sim).messages.with_raw_response.create(**MESSAGING)
        return [
            *(f"{type(one).__module__}.{type(one).__name__}" for one in (raw, streamed, other)),
            *(one.status_code for one in (raw, streamed, other)),
            *(one.retries_taken for one in (raw, streamed, other)),
            raw.headers["content-type"],
            raw.parse().choices[0].message.content,
            type(raw.parse()).__name__,
            len(raw.content) > 0,
            [type(item).__name__ for item in streamed.parse()],
            other.parse().content[0].text,
        ]

    bare, ours = both_ways(sim, journey)
    assert bare == ours


def test_streaming_responses(sim: Simulator) -> None:
    def journey(sim: Simulator) -> list[Any]:
        found: list[Any] = []
        client = chat_client(sim)
        with client.chat.completions.with_streaming_response.create(**CHATTING, stream=True) as response:
            found += [type(response).__name__, list(response.iter_lines())]
        with client.chat.completions.with_streaming_response.create(**CHATTING, stream=True) as response:
            found.append(b"".join(response.iter_bytes()))
        with client.chat.completions.with_streaming_response.create(**CHATTING, stream=True) as response:
            found.append(dumped(response.parse()))
        with client.chat.completions.with_streaming_response.create(**CHATTING) as response:
            found += [response.http_response.is_closed, len(response.read()) > 100, type(response.parse()).__name__]
        with claude(sim).messages.with_streaming_response.create(**MESSAGING, stream=True) as response:
            found.append(dumped(response.parse()))
        return found

    def prepare() -> None:
        for _ in range(3):
            sim.play(body("chat"))
        sim.script(None)
        sim.play(body("messages"))

    bare, ours = both_ways(sim, journey, prepare)
    assert bare == ours


@needs_chat_helpers
def test_stream_helpers(sim: Simulator) -> None:
    def journey(sim: Simulator) -> list[Any]:
        found: list[Any] = []
        with chat_client(sim).chat.completions.stream(**CHATTING) as chat:
            found += [[event.type for event in chat], chat.get_final_completion().choices[0].message.content]
        with chat_client(sim).responses.stream(**RESPONDING) as response:
            found += [[event.type for event in response], response.get_final_response().output_text]
        with claude(sim).messages.stream(**MESSAGING) as message:
            found += ["".join(message.text_stream), message.get_final_message().stop_reason, message.response.is_closed]
        with claude(sim).messages.stream(**MESSAGING) as message:
            found.append([event.type for event in message])
        with claude(sim).beta.messages.stream(**MESSAGING) as message:
            found.append(message.get_final_text())
        return found

    bare, ours = both_ways(sim, journey)
    assert bare == ours


@needs_chat_helpers
def test_async_stream_helpers(sim: Simulator) -> None:
    async def journey() -> list[Any]:
        found: list[Any] = []
        async with async_chat_client(sim) as client, async_claude(sim) as other:
            async with client.chat.completions.stream(**CHATTING) as chat:
                found.append([event.type async for event in chat])
            async with client.responses.stream(**RESPONDING) as response:
                found.append([event.type async for event in response])
            async with other.messages.stream(**MESSAGING) as message:
                found += [[text async for text in message.text_stream], await message.get_final_text()]
            raw = await client.chat.completions.with_raw_response.create(**CHATTING, stream=True)
            found.append([type(item).__name__ async for item in raw.parse()])
            async with client.chat.completions.with_streaming_response.create(**CHATTING, stream=True) as raw_stream:
                found.append(len([line async for line in raw_stream.iter_lines()]))
            async with client.chat.completions.with_streaming_response.create(**CHATTING, stream=True) as raw_stream:
                found.append([type(item).__name__ async for item in await raw_stream.parse()])
        return found

    bare, ours = both_ways(sim, lambda _: anyio.run(journey))
    assert bare == ours


class Weather(BaseModel):
    """The type that a structured answer is parsed into."""

    city: str
    degrees: int


@needs_chat_helpers
def test_parse(sim: Simulator) -> None:
    def journey(sim: Simulator) -> list[Any]:
        chat = chat_client(sim).chat.completions.parse(**CHATTING, response_format=Weather)
        response = chat_client(sim).responses.parse(**RESPONDING, text_format=Weather)
        return [type(chat).__name__, chat.choices[0].message.parsed, type(response).__name__, response.output_parsed]

    bare, ours = both_ways(sim, journey)
    assert bare == ours
    assert isinstance(ours[1], Weather)


def test_beta_messages(sim: Simulator) -> None:
    def journey(sim: Simulator) -> list[Any]:
        whole = claude(sim).beta.messages.create(**MESSAGING)
        return [type(whole).__name__, *dumped(claude(sim).beta.messages.create(**MESSAGING, stream=True))]

    def prepare() -> None:
        sim.script(None)
        sim.play(body("messages"))

    bare, ours = both_ways(sim, journey, prepare)
    assert bare == ours


@needs_counting
def test_other_calls_are_left_alone(sim: Simulator, spans: Spans) -> None:
    assert chat_client(sim).models.list().data
    assert claude(sim).messages.count_tokens(model="claude-test", messages=HELLO).input_tokens > 0
    assert spans.all == ()


@needs_responses
def test_embeddings_and_whole_answers(sim: Simulator, spans: Spans) -> None:
    found = chat_client(sim).embeddings.create(model="text-embedding-3-small", input="hi")
    assert found.data[0].embedding
    assert chat_client(sim).chat.completions.create(**CHATTING).choices[0].message.content
    assert chat_client(sim).responses.create(**RESPONDING).output_text
    assert claude(sim).messages.create(**MESSAGING).content[0].type == "text"
    assert [end for end, _ in spans.ends] == ["ok"] * 4


def test_clients_built_before(sim: Simulator) -> None:
    clients = chat_client(sim), claude(sim)
    spans = Spans()
    spans.instrument()
    list(clients[0].chat.completions.create(**CHATTING, stream=True))
    list(clients[1].messages.create(**MESSAGING, stream=True))
    assert len(spans.ends) == 2
    l0.uninstrument()
    list(clients[0].chat.completions.create(**CHATTING, stream=True))
    assert len(spans.ends) == 2


def test_azure_and_subclasses(sim: Simulator, spans: Spans) -> None:
    class Ours(openai.OpenAI):
        """A user's subclass."""

    for client in (
        openai.AzureOpenAI(api_key="k", azure_endpoint=sim.origin, api_version="2024-10-21"),
        Ours(api_key="k", base_url=sim.openai),
    ):
        with client:
            assert len(list(client.chat.completions.create(**CHATTING, stream=True))) > 3
    assert [span.attributes["gen_ai.provider.name"] for span in spans.all if span.attributes] == [
        "azure.ai.openai",
        "openai",
    ]


def test_vertex(sim: Simulator, spans: Spans) -> None:
    """Its client rewrites the path and moves the model into it; the answers are those of messages."""
    try:
        client = anthropic.AnthropicVertex(region="x", project_id="p", access_token="t", base_url=f"{sim.anthropic}/v1")
    except (ImportError, RuntimeError) as missing:
        pytest.skip(f"anthropic's vertex extra is not installed: {missing}")
    sim.script(Reply(body=RecordedBody(content=body("messages"))))
    try:
        list(client.messages.create(**MESSAGING, stream=True))
    except anthropic.APIStatusError as error:
        assert "rawPredict" in sim.requests[0].path or "streamRawPredict" in sim.requests[0].path, error  # noqa: PT017
    assert len(spans.ends) == 1
    assert (spans.only.attributes or {})["gen_ai.provider.name"] == "gcp.vertex_ai"
