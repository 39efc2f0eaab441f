"""Continuations of a broken answer: whatever shape the provider gives them, the user gets all that is new, once."""

import json
from typing import Any

import openai
import pytest
from installed import httpx

from l0.dialects.chat import ChatReader
from l0.dialects.completions import CompletionsReader
from l0.dialects.messages import MessagesReader
from l0.dialects.provider_errors import error_event_failure
from l0.model.resume_state import ResumeState

SAID = "Let me look at the weather in Paris for you. "
REQUEST = httpx.Request("POST", "https://api.example.com/v1")
CALL = {"index": 0, "id": "t1", "function": {"name": "get_weather", "arguments": '{"city": "Paris"}'}}
AZURE = {"id": "", "model": "", "choices": [], "prompt_filter_results": []}


def make_error(message: str, body: object) -> Exception:
    return openai.APIError(message, request=REQUEST, body=body)


def resumed(made: Any, strategy: str, said: str, *events: Any, **state: Any) -> list[Any]:
    """Return what the user gets of an attempt that resumes an answer which broke after ``said``."""
    position = {"other_events": 1, "ended": False, "response_id": "c-1", "reader_state": {"created": 1}} | state
    made.resume(ResumeState(text=said, **position), strategy)
    items = []
    for event in events:
        data = event if isinstance(event, bytes) else json.dumps(event).encode()
        name = event["type"].encode() if isinstance(event, dict) and "type" in event else None
        items += made.read_resumed(name, data)
    made.finish()
    assert (made.failure, made.incomplete_cause()) == (None, None)
    return items


# chat


def chat() -> ChatReader:
    return ChatReader(dict, "text/event-stream", choices=1, wraps=frozenset(), make_error=make_error)


def chunk(finish: str | None = None, **delta: Any) -> dict[str, Any]:
    choices = [{"index": 0, "delta": delta, "finish_reason": finish}]
    return {"id": "c-2", "created": 2, "model": "m", "choices": choices}


ROLE = chunk(role="assistant", content="")
DONE = b"[DONE]"


def received(items: list[Any]) -> tuple[str, list[Any], list[str]]:
    """Return the text, the tool calls and the finish reasons that the user gets."""
    choices = [item["choices"][0] for item in items if item["choices"]]
    text = "".join(choice["delta"].get("content") or "" for choice in choices)
    calls = [call for choice in choices for call in choice["delta"].get("tool_calls") or ()]
    return text, calls, [choice["finish_reason"] for choice in choices if choice["finish_reason"]]


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([chunk(tool_calls=[CALL]), chunk("tool_calls")], ("", [CALL], ["tool_calls"])),
        ([chunk("tool_calls", tool_calls=[CALL])], ("", [CALL], ["tool_calls"])),
        ([chunk(content="Paris"), chunk(tool_calls=[CALL]), chunk("tool_calls")], ("Paris", [CALL], ["tool_calls"])),
        ([chunk("tool_calls", content="Paris", tool_calls=[CALL])], ("Paris", [CALL], ["tool_calls"])),
        ([chunk(content="Paris", tool_calls=[CALL]), chunk("tool_calls")], ("Paris", [CALL], ["tool_calls"])),
        ([chunk(reasoning_content="Hm."), chunk(content="Sunny."), chunk("stop")], ("Sunny.", [], ["stop"])),
        ([chunk("stop", content="Sunny.")], ("Sunny.", [], ["stop"])),
        ([chunk("stop", content=" you")], (" you", [], ["stop"])),
        ([chunk("stop", content=SAID[-20:])], ("", [], ["stop"])),
        ([chunk(content=" you")], (" you", [], [])),
        ([chunk(content=SAID[-20:]), chunk(content="Sunny."), chunk("stop")], ("Sunny.", [], ["stop"])),
    ],
    ids=str,
)
@pytest.mark.parametrize("first", [[ROLE], [AZURE, ROLE]], ids=["openai", "azure"])
def test_spliced_chat_loses_nothing(first, events, expected):
    items = resumed(chat(), "splice", SAID, *first, *events, DONE)
    assert received(items) == expected
    assert {item["id"] for item in items} == {"c-1"}


def test_spliced_chat_with_a_list_of_parts_loses_nothing():
    parts = [{"type": "text", "text": "Sunny."}]
    first, _ = resumed(chat(), "splice", SAID, ROLE, chunk(content=parts), chunk("stop"), DONE)
    assert first["choices"][0]["delta"]["content"] == parts


def test_text_of_a_spliced_chat_is_in_order():
    made = chat()
    resumed(made, "splice", SAID, ROLE, chunk(content="Paris"), chunk("stop", content=" is sunny."), DONE)
    assert "".join(made.text) == SAID + "Paris is sunny."


@pytest.mark.parametrize(
    ("said", "ended", "expected"),
    [
        ("Hello world", False, ("", [], ["stop"])),
        ("Hello wor", False, ("ld", [], ["stop"])),
        ("Hello", False, (" world", [], ["stop"])),
        ("Hello world", True, ("", [], [])),
    ],
)
def test_repeated_chat_whose_end_comes_with_text(said, ended, expected):
    events = [ROLE, chunk(content="Hello "), chunk("stop", content="world"), DONE]
    assert received(resumed(chat(), "exact", said, *events, ended=ended)) == expected


def test_repeated_completion_whose_end_comes_with_text():
    def piece(text: str, finish: str | None = None) -> dict[str, Any]:
        return {"id": "c-2", "model": "m", "choices": [{"index": 0, "text": text, "finish_reason": finish}]}

    made = CompletionsReader(dict, "text/event-stream", choices=1, wraps=frozenset(), make_error=make_error)
    (end,) = resumed(made, "exact", "Hello world", piece("Hello "), piece("world", "stop"), DONE, other_events=0)
    assert end["choices"] == [{"index": 0, "text": "", "finish_reason": "stop"}]


def test_usage_in_the_chunk_with_text_and_end_comes_once():
    last = chunk("stop", content="Sunny.") | {"usage": {"prompt_tokens": 1}}
    items = resumed(chat(), "splice", SAID, ROLE, last, DONE)
    assert [item.get("usage") for item in items] == [None, {"prompt_tokens": 1}]


# messages


def messages() -> MessagesReader:
    def refuse(data: bytes) -> Any:
        return error_event_failure(data, make_error, "x")

    return MessagesReader(dict, "text/event-stream", names=None, typed=False, refuse=refuse)


def started(index: int, kind: str, **fields: Any) -> dict[str, Any]:
    return {"type": "content_block_start", "index": index, "content_block": {"type": kind, **fields}}


def delta(index: int, kind: str, text: str) -> dict[str, Any]:
    return {
        "type": "content_block_delta",
        "index": index,
        "delta": {"type": f"{kind}_delta", "partial_json" if kind == "input_json" else kind: text},
    }


def stopped(index: int) -> dict[str, Any]:
    return {"type": "content_block_stop", "index": index}


START = {"type": "message_start", "message": {"id": "m-2", "model": "claude"}}
THOUGHT = [started(0, "thinking", thinking=""), delta(0, "thinking", "Hm."), stopped(0)]


def ends(reason: str) -> list[dict[str, Any]]:
    return [{"type": "message_delta", "delta": {"stop_reason": reason}}, {"type": "message_stop"}]


def tool(index: int) -> list[dict[str, Any]]:
    start = started(index, "tool_use", id="t1", name="get_weather", input={})
    return [start, delta(index, "input_json", '{"city": "Paris"}'), stopped(index)]


def text(index: int, piece: str) -> list[dict[str, Any]]:
    return [started(index, "text", text=""), delta(index, "text", piece), stopped(index)]


OPEN = {"blocks": 1, "open": [0]}
CLOSED = {"blocks": 1, "open": []}


@pytest.mark.parametrize("strategy", ["splice", "prefill"])
@pytest.mark.parametrize(
    ("state", "events", "expected"),
    [
        (OPEN, [*tool(0), *ends("tool_use")], [stopped(0), *tool(1), *ends("tool_use")]),
        (CLOSED, [*tool(0), *ends("tool_use")], [*tool(1), *ends("tool_use")]),
        (OPEN, [*THOUGHT, *tool(1), *ends("tool_use")], [stopped(0), *tool(1), *ends("tool_use")]),
        (CLOSED, [*THOUGHT, *tool(1), *ends("tool_use")], [*tool(1), *ends("tool_use")]),
        (OPEN, [*text(0, "Ok."), *tool(1), *ends("tool_use")], [*text(0, "Ok.")[1:], *tool(1), *ends("tool_use")]),
        (CLOSED, [*text(0, "Ok."), *tool(1), *ends("tool_use")], [*text(1, "Ok."), *tool(2), *ends("tool_use")]),
        (OPEN, [*THOUGHT, *text(1, "Ok."), *ends("end_turn")], [*text(0, "Ok.")[1:], *ends("end_turn")]),
        (CLOSED, [*THOUGHT, *text(1, "Ok."), *ends("end_turn")], [*text(1, "Ok."), *ends("end_turn")]),
        (OPEN, [*THOUGHT, *text(1, " you"), *ends("end_turn")], [*text(0, " you")[1:], *ends("end_turn")]),
        (OPEN, [*text(0, " you"), *tool(1), *ends("tool_use")], [*text(0, " you")[1:], *tool(1), *ends("tool_use")]),
        (CLOSED, [*text(0, " you"), *tool(1), *ends("tool_use")], [*text(1, " you"), *tool(2), *ends("tool_use")]),
        (OPEN, [started(0, "text", text="Ok."), stopped(0), *ends("end_turn")],
         [stopped(0), started(1, "text", text="Ok."), stopped(1), *ends("end_turn")]),
    ],
)  # fmt: skip
def test_continued_message_loses_nothing_and_numbers_its_blocks(strategy, state, events, expected):
    assert resumed(messages(), strategy, SAID.rstrip(), START, *events, reader_state=state) == expected


def test_state_of_a_continued_message_counts_its_blocks():
    made = messages()
    resumed(made, "splice", SAID, START, *THOUGHT, *text(1, "Ok."), *tool(2), *ends("tool_use"), reader_state=OPEN)
    assert made.reader_state() == {"blocks": 2, "open": []}
