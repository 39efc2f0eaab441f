"""The parts without a socket: pieces, SSE, HTTP, delays, schemas, chunks."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l0.simulator import http, schema_example, sse_writer
from l0.simulator.answers import Answer, count, filler, pieces
from l0.simulator.corpus import answers, bundled_answer
from l0.simulator.dialects.chat_server import CHAT
from l0.simulator.dialects.completions_server import COMPLETIONS
from l0.simulator.dialects.messages_server import MESSAGES
from l0.simulator.dialects.responses_server import RESPONSES
from l0.simulator.dialects.server_dialect import AnswerIdentity, Dialect, SimulatedRequest
from l0.simulator.fault_shaping import chunked, marked
from l0.simulator.pacing import Delays, Pacer
from l0.simulator.simulator_config import SimulatorConfig, SimulatorError
from l0.simulator.steps import Send


@given(st.text())
def test_pieces_join_to_the_text(text: str) -> None:
    assert "".join(pieces(text)) == text


@given(st.binary())
def test_blocks_join_to_the_body(body: bytes) -> None:
    assert b"".join(sse_writer.split(body)) == body


@given(st.integers(min_value=1, max_value=9))
def test_http_chunks_of_any_size_carry_the_same_bytes_and_events(size: int) -> None:
    blocks = list(CHAT.events(bundled_answer("poem"), SimulatedRequest(model="m"), AnswerIdentity.of(0, 0)))
    sends = [step for step in chunked(marked(blocks, CHAT), size) if isinstance(step, Send)]
    assert b"".join(step.data for step in sends) == b"".join(blocks)
    assert sum(step.events for step in sends) == len(blocks)
    assert max(len(step.data) for step in sends) <= size


def test_request_is_returned_only_when_complete() -> None:
    whole = b"POST /x?a=1 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3;x=1\r\n{}\n\r\n0\r\nA: b\r\n\r\nGET"
    reader = http.RequestReader()
    for at in range(len(whole) - 4):
        reader.feed(whole[at : at + 1])
        assert reader.next() is None
    reader.feed(whole[-4:])
    request = reader.next()
    assert request is not None
    assert (request.path, request.query, request.json, reader.waiting) == ("/x", {"a": "1"}, {}, 3)


POST = b"POST /x HTTP/1.1\r\n"
CHUNKED = POST + b"transfer-encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("sent", "status", "message"),
    [
        (b"\x16\x03\x01 TLS\r\n\r\n", 400, "request line"),
        (b"GET / HTTP/2\r\n\r\n", 400, "request line"),
        (b"GET //[x HTTP/1.1\r\n\r\n", 400, "not a path"),
        (POST + b"no header\r\n\r\n", 400, "not a header"),
        (POST + b"a b: c\r\n\r\n", 400, "not a header"),
        (POST + b"x: y\r\n" * 201 + b"\r\n", 431, "201 headers"),
        (POST + b"x: " + b"y" * 70_000, 431, "the head is too long"),
        (POST + b"x: " + b"y" * 70_000 + b"\r\n\r\n", 431, "the head is too long"),
        (POST + b"content-length: -1\r\n\r\n", 400, "content-length"),
        (POST + b"content-length: +1\r\n\r\n", 400, "content-length"),
        (POST + b"content-length: 1_0\r\n\r\n", 400, "content-length"),
        (POST + b"content-length: 1\r\ncontent-length: 2\r\n\r\n", 400, "given twice"),
        (POST + b"content-length: 999999999999\r\n\r\n", 413, "the body is too long"),
        (POST + b"content-length: 1\r\ntransfer-encoding: chunked\r\n\r\n", 400, "transfer-encoding"),
        (POST + b"transfer-encoding: gzip, chunked\r\n\r\n", 400, "transfer-encoding"),
        (CHUNKED + b"-6\r\n", 400, "not a chunk size"),
        (CHUNKED + b"+6\r\n", 400, "not a chunk size"),
        (CHUNKED + b"0x6\r\n", 400, "not a chunk size"),
        (CHUNKED + b"\r\n", 400, "not a chunk size"),
        (CHUNKED + b"fffffff\r\n", 413, "the body is too long"),
        (CHUNKED + b"fffffffff\r\n", 400, "not a chunk size"),
        (CHUNKED + b"3;" + b"x" * 2_000, 400, "a chunk header is too long"),
        (CHUNKED + b"3\r\nabcdef\r\n", 400, "a chunk is longer than its size"),
        (CHUNKED + b"0\r\n" + b"x: y\r\n" * 20_000, 431, "trailers"),
        (CHUNKED + b"0\r\nx: " + b"y" * 70_000, 431, "trailers"),
    ],
)
def test_invalid_request_bytes_are_rejected(sent: bytes, status: int, message: str) -> None:
    reader = http.RequestReader()
    reader.feed(sent)
    with pytest.raises(http.BadRequestError, match=message) as caught:
        reader.next()
    assert caught.value.status == status


def test_host_names_are_a_tuple() -> None:
    with pytest.raises(TypeError, match=r"host_names: 'box.lan' given, allowed is a tuple of names"):
        SimulatorConfig(host_names="box.lan")  # type: ignore[arg-type]


def test_delays_depend_on_seed_and_index() -> None:
    delays = Delays(first_token_ms=300, inter_token_ms=20, stragglers=0.5)
    draw = [Pacer(delays, seed=1, index=i).first_token() for i in range(50)]
    assert draw == [Pacer(delays, seed=1, index=i).first_token() for i in range(50)]
    assert max(draw) > 1.5
    assert 0 < min(draw) < 0.6
    with pytest.raises(ValueError, match="stragglers: 2 given, allowed is 0 to 1"):
        Delays(stragglers=2)


def test_filler_has_the_requested_number_of_tokens() -> None:
    answer = Answer(tokens=1000)
    assert count(answer.text_of(0)) == answer.output_tokens() == len(list(filler(1000))) == 1000


def test_schema_example_matches_its_schema() -> None:
    wanted = {
        "type": "object",
        "$defs": {"kind": {"enum": ["a", "b"]}},
        "properties": {
            "kind": {"$ref": "#/$defs/kind"},
            "n": {"type": "integer", "minimum": 5},
            "rows": {"type": "array", "items": {"anyOf": [{"type": "boolean"}, {"type": "null"}]}},
        },
    }
    assert schema_example.example(wanted) == {"kind": "a", "n": 5, "rows": [True]}


def test_unknown_answer_and_port_errors_name_the_value() -> None:
    with pytest.raises(SimulatorError, match="'nope' is unknown; allowed are arabic"):
        bundled_answer("nope")
    with pytest.raises(ValueError, match="port: 70000 given"):
        SimulatorConfig(port=70000)


@pytest.mark.parametrize("dialect", [CHAT, COMPLETIONS, RESPONSES, MESSAGES], ids=lambda dialect: dialect.name)
@pytest.mark.parametrize("name", [name for name in answers() if not name.startswith("long")])
def test_bundled_answers_are_valid_streams_with_an_end(dialect: Dialect, name: str) -> None:
    blocks = list(dialect.events(bundled_answer(name), SimulatedRequest(model="m", choices=1), AnswerIdentity.of(0, 0)))
    data = [block.split(b"data: ", 1)[1] for block in blocks]
    for each in data:
        if each.strip() != b"[DONE]":
            json.loads(each)
    assert dialect.role(blocks[-1]) == "end"
    assert [dialect.role(block) for block in blocks].count("end") == 1


def test_responses_events_are_numbered_without_a_gap() -> None:
    blocks = RESPONSES.events(
        bundled_answer("reasoning_text_tool"), SimulatedRequest(model="m"), AnswerIdentity.of(0, 0)
    )
    numbers = [json.loads(block.split(b"data: ", 1)[1])["sequence_number"] for block in blocks]
    assert numbers == list(range(len(numbers)))
