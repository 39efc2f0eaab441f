"""A call that succeeds bare succeeds instrumented, with the same objects: run both ways, and compared."""

import gzip
from collections.abc import Callable
from typing import Any

import anthropic
import anyio
import openai
import pytest
from installed import needs_chat_helpers, needs_counting, needs_responses, needs_trio
from journeys_kit import (
    CHATTING,
    HELLO,
    MESSAGING,
    RESPONDING,
    Spans,
    async_chat_client,
    async_claude,
    body,
    chat_client,
    claude,
    dumped,
    origin,
)
from pydantic import BaseModel

import l0
from l0.simulator.faults import Fault
from l0.simulator.ledger import Reply
from l0.simulator.playback import Body
from l0.simulator.server import Simulator

Journey = Callable[[Simulator], Any]
CREATE: dict[str, Callable[[Simulator], Any]] = {
    "chat": lambda sim: chat_client(sim).chat.completions.create(**CHATTING, stream=True),
    "responses": lambda sim: chat_client(sim).responses.create(**RESPONDING, stream=True),
    "messages": lambda sim: claude(sim).messages.create(**MESSAGING, stream=True),
}


def both_ways(sim: Simulator, journey: Journey, prepare: Callable[[], None] = lambda: None) -> tuple[Any, Any]:
    """What a journey returns without l0, and with it."""
    l0.uninstrument()
    got = []
    for instrument in (lambda: None, l0.instrument):
        instrument()
        sim.reset()
        prepare()
        got.append(journey(sim))
    return got[0], got[1]


# -- odd but legitimate servers -----------------------------------------------------------------------------------

ODD = {
    "slow": Fault.slow_drip(interval=0.01),
    "pinging": Fault.pings(at_event=3, count=5, interval=0.01),
    "comments": Fault.comments(),
    "CRLF": Fault.framing("crlf"),
    "CR": Fault.framing("cr"),
    "close-delimited": Fault.close_delimited(),
    "byte-wise": Fault.bytewise(),
    "no finish reason": Fault.no_finish_reason(),
    "no terminal, origin unknown": Fault.no_terminal(),
    "clean end, origin unknown": Fault.clean_end(at_event=8),
    "stall": Fault.stall(at_event=8, seconds=0.3),
    "stall before content": Fault.stall(at_event=1, seconds=0.3),
    "headers late": Fault.no_headers(seconds=0.3) | Fault.comments(),
}


@pytest.mark.parametrize("fault", ODD.values(), ids=ODD)
@pytest.mark.parametrize("dialect", CREATE)
def test_odd_servers(sim: Simulator, dialect: str, fault: Fault) -> None:
    with_l0_fresh(sim)

    def prepare() -> None:
        sim.script(Reply(body=Body(content=body(dialect)), fault=fault))

    bare, ours = both_ways(sim, lambda sim: dumped(CREATE[dialect](sim)), prepare)
    assert bare == ours
    assert bare
    assert len(sim.requests) == 1


def with_l0_fresh(sim: Simulator) -> None:
    """Forget what this process has learnt of origins: each case meets an unknown one."""
    from l0.patching.switchboard import SWITCHBOARD

    SWITCHBOARD.health.terminals._seen.clear()
    assert not SWITCHBOARD.health.terminals.known(sim.origin, "chat")


@pytest.mark.parametrize("dialect", CREATE)
@pytest.mark.parametrize("frames", [55, 200])
def test_many_lifecycle_frames(sim: Simulator, dialect: str, frames: int) -> None:
    def prepare() -> None:
        sim.script(Fault.lifecycle_frames(frames))

    bare, ours = both_ways(sim, lambda sim: [type(item).__name__ for item in CREATE[dialect](sim)], prepare)
    assert bare == ours
    assert len(bare) >= (frames if dialect != "messages" else 1)


def test_null_data_is_dropped(sim: Simulator) -> None:
    """The one difference: bare, the user gets a ``None`` between the chunks."""

    def prepare() -> None:
        sim.script(Reply(body=Body(content=body("chat")), fault=Fault.null_data(at_event=5)))

    bare, ours = both_ways(sim, lambda sim: list(CREATE["chat"](sim)), prepare)
    assert None in bare
    assert dumped(one for one in bare if one is not None) == dumped(ours)


def test_a_byte_order_mark_costs_no_chunk(sim: Simulator) -> None:
    sim.script(Reply(body=Body(content=body("chat")), fault=Fault.bom()), Reply(body=Body(content=body("chat"))))
    l0.instrument()
    assert dumped(CREATE["chat"](sim)) == dumped(CREATE["chat"](sim))


@pytest.mark.parametrize("choices", [2, 3])
def test_several_choices(sim: Simulator, choices: int) -> None:
    bare, ours = both_ways(
        sim,
        lambda sim: dumped(chat_client(sim).chat.completions.create(**CHATTING, n=choices, stream=True)),
        lambda: sim.play(body("chat", choices=choices)),
    )
    assert bare == ours
    assert {choice["index"] for _, chunk in ours for choice in chunk["choices"]} == set(range(choices))


@pytest.mark.parametrize("name", ["answer tool_weather", "answer languages | comments", "tokens 2000"])
@pytest.mark.parametrize("dialect", CREATE)
def test_named_answers(sim: Simulator, dialect: str, name: str) -> None:
    def shape(sim: Simulator) -> list[str]:
        return [type(item).__name__ for item in CREATE[dialect](sim)]

    bare, ours = both_ways(sim, shape, lambda: sim.script(name))
    assert bare == ours


@pytest.mark.parametrize(
    ("content", "headers"),
    [
        (gzip.compress(body("chat")), {"content-type": "text/event-stream", "content-encoding": "gzip"}),
        (body("chat"), {"content-type": "application/octet-stream"}),
        (body("chat"), {}),
        (body("chat").replace(b"hello", b"h" * 8_000_000, 1), {"content-type": "text/event-stream"}),
    ],
    ids=["gzip", "wrong content type", "no content type", "8 MB"],
)
def test_bodies_of_other_servers(sim: Simulator, content: bytes, headers: dict[str, str]) -> None:
    with origin(content, headers) as url:
        bare, ours = both_ways(
            sim, lambda sim: dumped(chat_client(sim, base_url=url).chat.completions.create(**CHATTING, stream=True))
        )
    assert bare == ours
    assert len(bare) > 3


@needs_trio
def test_trio(sim: Simulator) -> None:
    async def journey() -> list[Any]:
        async with async_chat_client(sim) as client, async_claude(sim) as other:
            stream = await client.chat.completions.create(**CHATTING, stream=True)
            items = [item async for item in stream]
            await stream.close()
            return items + [item async for item in await other.messages.create(**MESSAGING, stream=True)]

    sim.play(body("chat"))
    sim.play(body("messages"))
    l0.instrument()
    trio = dumped(anyio.run(journey, backend="trio"))
    sim.play(body("chat"))
    sim.play(body("messages"))
    assert trio == dumped(anyio.run(journey, backend="asyncio"))


# -- the surface --------------------------------------------------------------------------------------------------


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


@pytest.mark.parametrize("dialect", CREATE)
def test_a_stream_looks_the_same(sim: Simulator, dialect: str) -> None:
    bare, ours = both_ways(sim, lambda sim: _facts(CREATE[dialect](sim)))
    assert bare == ours
    assert ours["closed after"]


@pytest.mark.parametrize("dialect", CREATE)
def test_the_response_is_closed_at_the_end(sim: Simulator, dialect: str) -> None:
    def journey(sim: Simulator) -> tuple[bool, bool, bool]:
        stream = CREATE[dialect](sim)
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
    """What a structured answer is parsed into."""

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
    sim.script(Reply(body=Body(content=body("messages"))))
    try:
        list(client.messages.create(**MESSAGING, stream=True))
    except anthropic.APIStatusError as error:
        assert "rawPredict" in sim.requests[0].path or "streamRawPredict" in sim.requests[0].path, error  # noqa: PT017
    assert len(spans.ends) == 1
    assert (spans.only.attributes or {})["gen_ai.provider.name"] == "gcp.vertex_ai"


# -- retries as the SDK's users know them ---------------------------------------------------------------------------


def test_no_retries_means_none(sim: Simulator, spans: Spans) -> None:
    for client in (chat_client(sim, max_retries=0), chat_client(sim).with_options(max_retries=0)):
        sim.reset()
        sim.script(Fault.status(503))
        with pytest.raises(openai.InternalServerError):
            client.chat.completions.create(**CHATTING, stream=True)
        assert len(sim.requests) == 1
    sim.reset()
    sim.script(Fault.cut(at_event=0))
    stream = chat_client(sim, max_retries=0).chat.completions.create(**CHATTING, stream=True)
    with pytest.raises(openai.APIConnectionError):
        list(stream)
    assert len(sim.requests) == 1
    assert [end for end, _ in spans.ends] == ["failed"] * 3


@pytest.mark.parametrize("stream", [True, False])
def test_one_refusal_costs_one_more_request(sim: Simulator, stream: bool) -> None:
    def journey(sim: Simulator) -> list[tuple[str | None, str | None, str | None]]:
        answer = chat_client(sim).chat.completions.create(**CHATTING, stream=stream)
        for _ in answer:
            pass
        claude(sim).messages.create(**MESSAGING, stream=False)
        names = ("x-stainless-retry-count", "x-stainless-read-timeout", "x-stainless-async")
        return [tuple(request.headers.get(name) for name in names) for request in sim.requests]  # type: ignore[misc]

    bare, ours = both_ways(sim, journey, lambda: sim.script(Fault.status(503), None, Fault.status(529)))
    assert bare == ours
    assert [count for count, *_ in ours] == ["0", "1", "0", "1"]


def test_a_restart_of_a_broken_stream_is_counted(sim: Simulator) -> None:
    l0.instrument(l0.Policy(truncation="strict"))
    sim.script(Fault.clean_end(at_event=1), Fault.status(503))
    stream = chat_client(sim).chat.completions.create(**CHATTING, stream=True)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)
    assert [request.headers["x-stainless-retry-count"] for request in sim.requests] == ["0", "1", "2"]
    assert stream.response.is_closed


def test_headers_of_requests_are_the_sdks(sim: Simulator) -> None:
    def journey(sim: Simulator) -> list[dict[str, str]]:
        list(chat_client(sim).chat.completions.create(**CHATTING, stream=True, extra_headers={"x-mine": "1"}))
        claude(sim).messages.create(**MESSAGING)
        own = ("host", "content-length")
        return [{name: value for name, value in one.headers.items() if name not in own} for one in sim.requests]

    bare, ours = both_ways(sim, journey)
    assert bare == ours


def test_one_idempotency_key_for_all_attempts(sim: Simulator) -> None:
    sim.script(Fault.status(503), Fault.status(503))
    l0.instrument()
    chat_client(sim).chat.completions.create(**CHATTING, extra_headers={"Idempotency-Key": "mine"})
    assert [request.headers.get("idempotency-key") for request in sim.requests] == ["mine"] * 3


def test_retry_after_is_honoured(sim: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    bare, ours = both_ways(
        sim,
        lambda sim: chat_client(sim).chat.completions.create(**CHATTING).choices[0].finish_reason,
        lambda: sim.script(Fault.status(429, {"retry-after-ms": "10"})),
    )
    assert bare == ours == "stop"
    assert slept == [0.01, 0.01]


def test_retries_taken_is_true(sim: Simulator) -> None:
    def journey(sim: Simulator) -> list[int]:
        raw = chat_client(sim).chat.completions.with_raw_response.create(**CHATTING)
        with chat_client(sim).chat.completions.with_streaming_response.create(**CHATTING) as response:
            return [raw.retries_taken, response.retries_taken, raw.http_response.status_code]

    bare, ours = both_ways(sim, journey, lambda: sim.script(Fault.status(503), None, Fault.status(500)))
    assert bare == ours == [1, 1, 200]


@pytest.mark.parametrize("timeout", [0.2, openai.Timeout(5.0, read=0.2)])
def test_the_sdks_own_timeout(sim: Simulator, timeout: Any) -> None:
    def journey(sim: Simulator) -> tuple[str, int]:
        with pytest.raises(openai.APITimeoutError) as caught:
            chat_client(sim, max_retries=0).chat.completions.create(**CHATTING, stream=True, timeout=timeout)
        return type(caught.value).__name__, len(sim.requests)

    bare, ours = both_ways(sim, journey, lambda: sim.script(Fault.no_headers()))
    assert bare == ours


def test_errors_are_the_sdks(sim: Simulator) -> None:
    def journey(sim: Simulator) -> list[Any]:
        found: list[Any] = []
        for client, call in ((chat_client(sim), CHATTING), (claude(sim), MESSAGING)):
            create = client.chat.completions.create if isinstance(client, openai.OpenAI) else client.messages.create
            with pytest.raises((openai.APIStatusError, anthropic.APIStatusError)) as caught:
                create(**call, stream=True)
            error: Any = caught.value
            found += [type(error), error.status_code, error.request.method, error.response.is_closed]
            found += [error.body is not None, error.__notes__ if hasattr(error, "__notes__") else []]
        return found

    bare, ours = both_ways(sim, journey, lambda: sim.script(Fault.status(404), Fault.status(401)))
    assert bare == ours
