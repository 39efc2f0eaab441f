"""The parts without a socket: pieces, SSE, HTTP, delays, schemas, chunks."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l0.simulator import http, schema, sse
from l0.simulator.answers import Answer, count, filler, pieces
from l0.simulator.config import SimulatorConfig, SimulatorError
from l0.simulator.corpus import answers, named
from l0.simulator.dialects.base import Ask, Dialect, Stamp
from l0.simulator.dialects.chat import CHAT
from l0.simulator.dialects.completions import COMPLETIONS
from l0.simulator.dialects.messages import MESSAGES
from l0.simulator.dialects.responses import RESPONSES
from l0.simulator.pacing import Delays, Pacer
from l0.simulator.shaping import chunked, marked
from l0.simulator.steps import Send


@given(st.text())
def test_pieces_join_to_the_text(text: str) -> None:
    assert "".join(pieces(text)) == text


@given(st.binary())
def test_blocks_join_to_the_body(body: bytes) -> None:
    assert b"".join(sse.split(body)) == body


@given(st.integers(min_value=1, max_value=9))
def test_chunks_of_any_size_carry_the_same_bytes_and_events(size: int) -> None:
    blocks = list(CHAT.events(named("poem"), Ask(model="m"), Stamp.of(0, 0)))
    sends = [step for step in chunked(marked(blocks, CHAT), size) if isinstance(step, Send)]
    assert b"".join(step.data for step in sends) == b"".join(blocks)
    assert sum(step.events for step in sends) == len(blocks)
    assert max(len(step.data) for step in sends) <= size


def test_a_request_is_taken_only_when_it_is_whole() -> None:
    whole = b"POST /x?a=1 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n{}\n\r\n0\r\n\r\nGET"
    for end in range(len(whole) - 3):
        assert http.take(bytearray(whole[:end])) is None
    buffer = bytearray(whole)
    request = http.take(buffer)
    assert request is not None
    assert (request.path, request.query, request.json, bytes(buffer)) == ("/x", {"a": "1"}, {}, b"GET")


def test_bytes_that_are_no_request_are_refused() -> None:
    with pytest.raises(http.BadRequestError, match="request line"):
        http.take(bytearray(b"\x16\x03\x01 TLS\r\n\r\n"))


def test_delays_follow_from_seed_and_index() -> None:
    delays = Delays(first_token_ms=300, inter_token_ms=20, stragglers=0.5)
    draw = [Pacer(delays, seed=1, index=i).first_token() for i in range(50)]
    assert draw == [Pacer(delays, seed=1, index=i).first_token() for i in range(50)]
    assert max(draw) > 1.5
    assert 0 < min(draw) < 0.6
    with pytest.raises(ValueError, match="stragglers: 2 given, allowed is 0 to 1"):
        Delays(stragglers=2)


def test_filler_has_as_many_tokens_as_asked_for() -> None:
    answer = Answer(tokens=1000)
    assert count(answer.text_of(0)) == answer.output_tokens() == len(list(filler(1000))) == 1000


def test_schema_example_fits() -> None:
    wanted = {
        "type": "object",
        "$defs": {"kind": {"enum": ["a", "b"]}},
        "properties": {
            "kind": {"$ref": "#/$defs/kind"},
            "n": {"type": "integer", "minimum": 5},
            "rows": {"type": "array", "items": {"anyOf": [{"type": "boolean"}, {"type": "null"}]}},
        },
    }
    assert schema.example(wanted) == {"kind": "a", "n": 5, "rows": [True]}


def test_unknown_answer_and_port_are_named() -> None:
    with pytest.raises(SimulatorError, match="'nope' is unknown; allowed are arabic"):
        named("nope")
    with pytest.raises(ValueError, match="port: 70000 given"):
        SimulatorConfig(port=70000)


@pytest.mark.parametrize("dialect", [CHAT, COMPLETIONS, RESPONSES, MESSAGES], ids=lambda dialect: dialect.name)
@pytest.mark.parametrize("name", [name for name in answers() if not name.startswith("long")])
def test_every_answer_is_a_valid_stream_that_ends(dialect: Dialect, name: str) -> None:
    blocks = list(dialect.events(named(name), Ask(model="m", choices=1), Stamp.of(0, 0)))
    data = [block.split(b"data: ", 1)[1] for block in blocks]
    for each in data:
        if each.strip() != b"[DONE]":
            json.loads(each)
    assert dialect.role(blocks[-1]) == "end"
    assert [dialect.role(block) for block in blocks].count("end") == 1


def test_responses_are_numbered_without_a_gap() -> None:
    blocks = RESPONSES.events(named("reasoning_text_tool"), Ask(model="m"), Stamp.of(0, 0))
    numbers = [json.loads(block.split(b"data: ", 1)[1])["sequence_number"] for block in blocks]
    assert numbers == list(range(len(numbers)))
