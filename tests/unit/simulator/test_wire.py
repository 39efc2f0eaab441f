"""Faults as the real SDKs see them, and their entries in the log."""

import asyncio
import http.client
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from typing import Any

import anthropic
import openai
import pytest
from installed import httpx, needs_responses, transport_of

from l0.simulator.connection import Connection
from l0.simulator.corpus import DEFAULT, bundled_answer
from l0.simulator.faults import Fault
from l0.simulator.ledger import Reply
from l0.simulator.server import Simulator
from l0.simulator.simulator_config import SimulatorConfig, SimulatorError
from l0.testing import simulator

HELLO = bundled_answer(DEFAULT).text
ASK = [{"role": "user", "content": "hi"}]


BROKEN = (openai.APIConnectionError, httpx.RequestError)  # the latter: openai 2 and older, which do not translate it


def chat(client: openai.OpenAI) -> str:
    stream = client.chat.completions.create(model="m", messages=ASK, stream=True)
    return "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk and chunk.choices)


def responses(client: openai.OpenAI) -> list[str]:
    return [event.type for event in client.responses.create(model="m", input="hi", stream=True) if event]


def messages(claude: anthropic.Anthropic) -> str:
    stream = claude.messages.create(model="c", max_tokens=4096, messages=ASK, stream=True)
    return "".join(event.delta.text for event in stream if event and event.type == "content_block_delta")


@contextmanager
def raw(sim: Simulator) -> Iterator[http.client.HTTPResponse]:
    connection = http.client.HTTPConnection("127.0.0.1", int(sim.origin.rsplit(":", 1)[1]), timeout=120)
    connection.request("POST", "/v1/chat/completions", json.dumps({"model": "m", "messages": ASK, "stream": True}))
    with closing(connection), connection.getresponse() as response:
        yield response


HARMLESS = [
    Fault.framing("cr"),
    Fault.framing("crlf") | Fault.bytewise(),
    Fault.bytewise(),
    Fault.one_write(),
    Fault.comments(2),
    Fault.close_delimited(),
    Fault.lifecycle_frames(9),
    Fault.no_terminal(),
    Fault.no_finish_reason(),
    Fault.null_data(),
    Fault.pings(count=3, interval=0),
    Fault.slow_drip(0),
    Fault.stall(seconds=0.01),
    Fault.stall(at_byte=0, seconds=0.01),
]


@pytest.mark.parametrize("fault", HARMLESS, ids=str)
def test_text_is_complete_despite_harmless_faults(
    fault: Fault, sim: Simulator, client: openai.OpenAI, claude: anthropic.Anthropic
) -> None:
    sim.script(fault, fault)
    assert (chat(client), messages(claude)) == (HELLO, HELLO)
    assert {received.answered for received in sim.requests} == {str(fault)}


@pytest.mark.parametrize(
    "fault",
    [
        Fault.reset(),
        Fault.cut(),
        Fault.cut(at_byte=0),
        Fault.cut(at_byte=200),
        Fault.bad_chunk_header(),
        Fault.content_length_short(),
    ],
    ids=str,
)
def test_connection_faults_break_the_body(fault: Fault, sim: Simulator, client: openai.OpenAI) -> None:
    sim.script(fault, fault)
    with pytest.raises(BROKEN):
        chat(client)
    with pytest.raises(openai.APIConnectionError):
        client.chat.completions.create(model="m", messages=ASK)
    assert all(received.finished for received in sim.requests)
    assert chat(client) == HELLO


def test_connection_is_usable_after_a_body_that_ends_before_its_first_byte(
    sim: Simulator, client: openai.OpenAI
) -> None:
    sim.script(Fault.clean_end(at_byte=0))
    assert chat(client) == ""
    assert chat(client) == HELLO


@pytest.mark.parametrize(
    ("fault", "raised"),
    [
        (Fault.status(429), openai.RateLimitError),
        (Fault.status(503), openai.InternalServerError),
        (Fault.refuse(), openai.APIConnectionError),
        (Fault.refuse("rst"), openai.APIConnectionError),
        (Fault.no_headers(seconds=0.01), openai.APIConnectionError),
        (Fault.corrupt_gzip(), BROKEN),
        (Fault.in_band_error(2, code="slow_down"), openai.APIError),
        (Fault.malformed(), json.JSONDecodeError),
        (Fault.invalid_utf8(), UnicodeDecodeError),
        (Fault.id_retry_lines(), json.JSONDecodeError),
    ],
    ids=str,
)
def test_sdk_raises_for_faults(fault: Fault, raised: Any, sim: Simulator, client: openai.OpenAI) -> None:
    sim.script(fault)
    with pytest.raises(raised):
        chat(client)


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        (Fault.clean_end(at_event=3), "Hello!"),
        (Fault.close_delimited(at_event=3), "Hello!"),
        (Fault.duplicate(), "Hello" + HELLO),
        (Fault.drop(1), HELLO.removeprefix("Hello")),
        (Fault.reorder(1), "!Hello" + HELLO.removeprefix("Hello!")),
        (Fault.empty(), ""),
        (Fault.html(), ""),
        (Fault.json_error(), ""),
        (Fault.whole_json(), ""),
        (Fault.done_only(), ""),
    ],
    ids=str,
)
def test_sdk_does_not_notice_faults(fault: Fault, text: str, sim: Simulator, client: openai.OpenAI) -> None:
    sim.script(fault)
    assert chat(client) == text


@needs_responses
def test_dialect_specific_faults(sim: Simulator, client: openai.OpenAI, claude: anthropic.Anthropic) -> None:
    sim.script(Fault.failed(), Fault.in_band_error(), Fault.lifecycle_frames(4), Fault.after_end())
    assert responses(client)[-1] == "response.failed"
    assert responses(client)[-1] == "error"
    stream = client.responses.create(model="m", input="hi", stream=True)
    assert [event.sequence_number for event in stream] == list(range(28))
    assert messages(claude) == HELLO + "?"
    sim.script(Fault.in_band_error(), Fault.no_event_names(), Fault.status(529), Fault.cut())
    with pytest.raises(anthropic.APIStatusError) as caught:
        messages(claude)
    assert caught.value.response.status_code == 200
    assert caught.value.body["error"]["type"] == "overloaded_error"
    assert messages(claude) == ""
    with pytest.raises(anthropic.APIStatusError, match=r"529.*Overloaded"):
        messages(claude)
    with pytest.raises(transport_of(anthropic).RemoteProtocolError):
        messages(claude)


def test_status_fault_sends_headers_and_body(sim: Simulator) -> None:
    sim.script(Fault.status(503, {"Retry-After": "7"}, "<h1>busy</h1>"), "status 429 retry-after-ms=20")
    with raw(sim) as response:
        assert (response.status, response.headers["retry-after"], response.read()) == (503, "7", b"<h1>busy</h1>")
        assert response.headers["content-type"] == "text/html"
    with raw(sim) as response:
        assert response.headers["retry-after-ms"] == "20"
        assert json.loads(response.read())["error"]["code"] == "rate_limit_exceeded"


@pytest.mark.parametrize("chunks", ["event", "one", "byte", 7])
def test_played_bodies_arrive_byte_for_byte(sim: Simulator, chunks: str) -> None:
    body = b"\xef\xbb\xbfdata: {\r\n\r\ndata: \xff\n\n: half"
    sim.play(body, chunks=chunks, status=203)  # type: ignore[arg-type]
    with raw(sim) as response:
        assert (response.status, response.read()) == (203, body)


def test_split_utf8_fault_splits_characters_between_chunks(sim: Simulator, client: openai.OpenAI) -> None:
    sim.script(Fault.split_utf8())
    assert chat(client) == bundled_answer("languages").text


def test_stall_ends_when_the_client_leaves(sim: Simulator) -> None:
    sim.script(Fault.stall(at_event=2))
    with raw(sim) as response:
        assert response.read1(10)
        assert not sim.wait_idle(0)
    assert sim.wait_idle(120)
    received = sim.requests[0]
    assert (received.disconnected, received.finished, received.sent_events) == (True, False, 2)


def test_endless_pings_end_when_the_server_stops() -> None:
    before = threading.active_count()
    with ExitStack() as client:
        with simulator() as sim:
            sim.script(Fault.pings(1, interval=0.001))
            assert client.enter_context(raw(sim)).read1(10)
        assert threading.active_count() == before


def test_answer_source_order_is_script_header_prompt(sim: Simulator, client: openai.OpenAI) -> None:
    ask = [{"role": "user", "content": "please [[simulate: answer short]]"}]

    def answer(**extra: str) -> str | None:
        made = client.chat.completions.create(model="m", messages=ask, extra_headers=extra)
        return made.choices[0].message.content

    sim.script(Reply(answer=bundled_answer("poem")), None)
    header = {"x-l0-simulate": "answer code"}
    assert [answer(**header), answer(), answer(**header), answer()] == [
        bundled_answer("poem").text,
        HELLO,
        bundled_answer("code").text,
        "Yes.",
    ]
    sim.script("status 500")
    sim.reset()
    assert sim.requests == []
    assert chat(client) == HELLO


def test_port_in_use_error_names_the_port(sim: Simulator) -> None:
    port = int(sim.origin.rsplit(":", 1)[1])
    with pytest.raises(SimulatorError, match=f"cannot listen on 127.0.0.1:{port}"), simulator(port=port):
        pass


def test_one_connection_serves_many_requests(sim: Simulator) -> None:
    body = json.dumps({"model": "m", "messages": ASK}).encode()
    request = b"POST /v1/chat/completions HTTP/1.1\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)
    with socket.create_connection(("127.0.0.1", int(sim.origin.rsplit(":", 1)[1])), timeout=120) as client:
        client.sendall(request + request)
        received = b""
        while received.count(b"HTTP/1.1 200") < 2 or not received.endswith(b"}}"):
            received += client.recv(65536)
    assert len(sim.requests) == 2


@pytest.mark.parametrize("end", [Connection.close, Connection.abort])
def test_a_connection_that_is_closed_before_it_is_made_ends_at_once(end: Callable[[Connection], None]) -> None:
    """A server that stops has accepted connections whose transports are not there yet."""

    def accept() -> Connection:
        connection = Connection()
        end(connection)
        return connection

    async def received() -> bytes:
        server = await asyncio.get_running_loop().create_server(accept, "127.0.0.1", 0)
        async with server:
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            try:
                return await asyncio.wait_for(reader.read(), 10)
            finally:
                writer.close()

    assert asyncio.run(received()) == b""


@pytest.mark.parametrize("turns", range(5))
def test_a_client_that_connects_while_the_server_stops_is_not_left_waiting(turns: int) -> None:
    """The server stops some turns of the event loop after a client has connected: at one of them, it accepts it."""

    def received(client: socket.socket) -> bytes:
        with suppress(ConnectionResetError):
            return client.recv(1)
        return b""

    async def stop() -> bytes:
        server = Simulator(SimulatorConfig())
        await server.start()
        with socket.create_connection(("127.0.0.1", int(server.origin.rsplit(":", 1)[1])), timeout=60) as client:
            for _ in range(turns):
                await asyncio.sleep(0)
            await server.stop()
            return await asyncio.to_thread(received, client)

    assert asyncio.run(stop()) == b""
