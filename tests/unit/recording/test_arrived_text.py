"""The content of each recorded read, in every dialect, streamed and complete."""

import gzip
import json
from typing import Any

import pytest
from makers import make_call

from l0.recording.arrived_text import Fragment, arrived_text
from l0.recording.recording import RecordedAttempt, RecordedCall, RecordedRead


def sse(*events: Any) -> list[bytes]:
    return [b"data: " + json.dumps(event).encode() + b"\n\n" for event in events]


def chat(**delta: Any) -> dict[str, Any]:
    return {"id": "c", "choices": [{"index": 0, "delta": delta}]}


def tool(**function: str) -> dict[str, Any]:
    return chat(tool_calls=[{"index": 0, "id": "t", "function": function}])


def block(**delta: Any) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": 0, "delta": delta}


def opened(**content: Any) -> dict[str, Any]:
    return {"type": "content_block_start", "index": 0, "content_block": content}


def read(
    *reads: bytes, dialect: str = "chat", streaming: bool = True, kind: str = "text/event-stream", encoding: str = ""
) -> list[list[Fragment]]:
    """Return what reads brought."""
    headers = [("Content-Type", kind), ("content-encoding", encoding)]
    attempt: Any = RecordedAttempt(
        number=1,
        leg=0,
        hedge=False,
        started=0.0,
        request={},
        status=200,
        response_headers=headers,
        head_at=0.1,
        ended=None,
        ending="eof",
        failure=None,
        reads=[RecordedRead(at=1.0 + place, data=data) for place, data in enumerate(reads)],
    )
    call: Any = object.__new__(RecordedCall)
    object.__setattr__(call, "call", make_call(dialect=dialect, streaming=streaming))
    found = arrived_text(call, attempt)
    assert len(found) == len(reads)
    return found


STREAMS: dict[str, tuple[str, list[bytes], list[tuple[str, str]]]] = {
    "chat": (
        "chat",
        [*sse(chat(content="one "), chat(reasoning_content="hm"), chat(refusal="no"), chat()), b"data: [DONE]\n\n"],
        [("text", "one "), ("reasoning", "hm"), ("refusal", "no")],
    ),
    "chat tools": (
        "chat",
        sse(tool(name="get", arguments=""), tool(arguments='{"a"'), tool(arguments=": 1}")),
        [("tool", "get "), ("tool", '{"a"'), ("tool", ": 1}")],
    ),
    "completions": ("completions", sse({"choices": [{"index": 0, "text": "one"}]}), [("text", "one")]),
    "messages": (
        "messages",
        sse(
            opened(type="text", text=""),
            block(type="text_delta", text="one"),
            block(type="thinking_delta", thinking="hm"),
            opened(type="tool_use", id="t", name="get", input={}),
            block(type="input_json_delta", partial_json="{}"),
        ),
        [("text", "one"), ("reasoning", "hm"), ("tool", "get "), ("tool", "{}")],
    ),
    "responses": (
        "responses",
        sse(
            {
                "type": "response.output_text.delta",
                "item_id": "m",
                "content_index": 0,
                "output_index": 0,
                "delta": "on",
            },
            {"type": "response.output_text.delta", "item_id": "m", "content_index": 0, "output_index": 0, "delta": "e"},
            {"type": "response.output_text.done", "item_id": "m", "content_index": 0, "output_index": 0, "text": "one"},
        ),
        [("text", "on"), ("text", "e")],
    ),
    "hostile": (
        "chat",
        [*sse([1], "x", None, {"choices": 7}), b"data: {\n\n", b"\xff\xfe", b"\n\n", *sse(chat(content="<b>"))],
        [("text", "<b>")],
    ),
}
ANSWERS: dict[str, tuple[str, Any, list[tuple[str, str]]]] = {
    "chat": (
        "chat",
        {"choices": [{"index": 0, "message": {"role": "assistant", "content": "one"}}]},
        [("text", "one")],
    ),
    "messages": ("messages", {"type": "message", "content": [{"type": "text", "text": "one"}]}, [("text", "one")]),
    "responses": (
        "responses",
        {"output": [{"type": "message", "content": [{"type": "output_text", "text": "one"}]}]},
        [("text", "one")],
    ),
    "embeddings": ("embeddings", {"data": [{"embedding": [0.5]}]}, []),
    "error": ("chat", {"error": {"message": "busy"}}, []),
    "not JSON": ("chat", "<html>", []),
}


@pytest.mark.parametrize("name", STREAMS)
def test_fragments_come_with_their_reads(name: str) -> None:
    dialect, reads, expected = STREAMS[name]
    found = read(*reads, dialect=dialect)
    assert [(fragment.kind, fragment.text) for each in found for fragment in each] == expected
    assert read(b"".join(reads), dialect=dialect) == [[fragment for each in found for fragment in each]]


def test_event_that_is_split_arrives_with_its_end() -> None:
    (event,) = sse(chat(content="one"))
    assert read(event[:20], event[20:]) == [[], [Fragment("text", "one")]]


@pytest.mark.parametrize("name", ANSWERS)
@pytest.mark.parametrize("streaming", [True, False])
def test_complete_answer_arrives_with_its_last_read(name: str, streaming: bool) -> None:
    dialect, answer, expected = ANSWERS[name]
    data = json.dumps(answer).encode()
    found = read(data[:9], data[9:], dialect=dialect, streaming=streaming, kind="application/json")
    assert found == [[], [Fragment(*pair) for pair in expected]]  # type: ignore[arg-type]  # kinds are literals


def test_compressed_answers_are_read_and_decoded_ones_too() -> None:
    plain = b"".join(sse(chat(content="one "), chat(content="two")))
    packed = gzip.compress(plain)
    for reads in ([packed[:30], packed[30:]], [plain]):
        found = read(*reads, encoding="gzip")
        assert "".join(fragment.text for each in found for fragment in each) == "one two"
    assert read(b"\xff" * 30, encoding="rot13") == [[]]


def test_dialect_that_is_unknown_brings_nothing() -> None:
    assert read(*sse(chat(content="one")), dialect="later") == [[]]
    assert read() == []
