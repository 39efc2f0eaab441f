"""Answers that hold no text but something else: none of them is empty, streamed or whole."""

import asyncio
import json
from typing import Any

import pytest
from installed import needs_responses
from journeys_kit import (
    CHATTING,
    MESSAGING,
    RESPONDING,
    async_chat_client,
    async_claude,
    chat_client,
    claude,
    sync_and_async,
)

import l0
from l0.simulator.server import Simulator
from l0.simulator.sse_writer import block

ITEMS: list[dict[str, Any]] = [
    {
        "type": "tool_search_call",
        "id": "t",
        "call_id": "c",
        "arguments": {},
        "execution": "client",
        "status": "completed",
    },
    {
        "type": "computer_call",
        "id": "c",
        "call_id": "c",
        "action": {"type": "screenshot"},
        "pending_safety_checks": [],
        "status": "completed",
    },
    {"type": "shell_call", "id": "s", "call_id": "c", "action": {"commands": ["ls"]}, "status": "completed"},
    {
        "type": "apply_patch_call",
        "id": "a",
        "call_id": "c",
        "operation": {"type": "delete_file", "path": "x"},
        "status": "completed",
    },
    {"type": "mcp_approval_request", "id": "m", "name": "n", "arguments": "{}", "server_label": "s"},
    {"type": "image_generation_call", "id": "i", "result": "aGk=", "status": "completed"},
    {"type": "web_search_call", "id": "w", "status": "completed", "action": {"type": "search", "query": "q"}},
    {"type": "code_interpreter_call", "id": "k", "status": "completed", "container_id": "c", "code": "", "outputs": []},
    {"type": "custom_tool_call", "id": "u", "call_id": "c", "name": "n", "input": ""},
    {"type": "function_call", "id": "f", "call_id": "c", "name": "n", "arguments": ""},
    {"type": "reasoning", "id": "r", "summary": [], "encrypted_content": "gAAA"},
    {"type": "message", "id": "x", "role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]},
    {"type": "of_tomorrow", "id": "z"},
]
EMPTY_ITEMS: list[dict[str, Any]] = [
    {"type": "message", "id": "x", "role": "assistant", "content": []},
    {
        "type": "message",
        "id": "x",
        "role": "assistant",
        "content": [{"type": "output_text", "text": "", "annotations": []}],
    },
    {"type": "reasoning", "id": "r", "summary": []},
]
BLOCKS: list[dict[str, Any]] = [
    {"type": "tool_use", "id": "t", "name": "n", "input": {}},
    {"type": "redacted_thinking", "data": "x"},
    {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}},
    {"type": "web_search_tool_result", "tool_use_id": "s", "content": []},
    {"type": "container_upload", "file_id": "f"},
    {"type": "of_tomorrow"},
]
MESSAGES: list[dict[str, Any]] = [
    {"tool_calls": [{"index": 0, "id": "c", "type": "function", "function": {"name": "n", "arguments": ""}}]},
    {"tool_calls": [{"index": 0, "id": "c", "type": "custom", "custom": {"name": "n", "input": ""}}]},
    {"function_call": {"name": "n", "arguments": ""}},
    {"audio": {"id": "a", "data": "aGk="}},
    {"refusal": "No."},
    {"reasoning_content": "Hm."},
    {"images": [{"type": "image_url", "image_url": {"url": "data:,x"}}]},
]


def response(items: list[dict[str, Any]], status: str = "completed") -> dict[str, Any]:
    told = {"id": "resp_1", "object": "response", "created_at": 1, "model": "gpt-4o", "status": status, "output": items}
    return {**told, "parallel_tool_calls": True, "tool_choice": "auto", "tools": []}


def responses_stream(item: dict[str, Any]) -> list[bytes]:
    opened = item | ({"content": []} if item["type"] == "message" else {})
    events: list[dict[str, Any]] = [
        {"type": "response.created", "response": response([], "in_progress")},
        {"type": "response.output_item.added", "output_index": 0, "item": opened},
        {"type": "response.output_item.done", "output_index": 0, "item": item},
        {"type": "response.completed", "response": response([item])},
    ]
    return [block(event | {"sequence_number": n}, event["type"]) for n, event in enumerate(events)]


def message(blocks: list[dict[str, Any]], reason: str | None) -> dict[str, Any]:
    told = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-test", "content": blocks}
    return {**told, "stop_reason": reason, "stop_sequence": None, "usage": {"input_tokens": 1, "output_tokens": 0}}


def messages_stream(start: dict[str, Any]) -> list[bytes]:
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": message([], None)},
        {"type": "content_block_start", "index": 0, "content_block": start},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 0}},
        {"type": "message_stop"},
    ]
    return [block(event, event["type"]) for event in events]


def completion(kind: str, said: dict[str, Any], reason: str | None, key: str) -> dict[str, Any]:
    choice = {"index": 0, key: {"role": "assistant", "content": None, **said}, "finish_reason": reason}
    return {"id": "c", "object": kind, "created": 1, "model": "gpt-4o", "choices": [choice]}


def chat_stream(delta: dict[str, Any]) -> list[bytes]:
    chunks = [completion("chat.completion.chunk", delta, None, "delta")]
    chunks.append(completion("chat.completion.chunk", {}, "stop", "delta"))
    return [*map(block, chunks), block("[DONE]")]


def answer_of(dialect: str, holds: dict[str, Any], stream: bool) -> tuple[bytes, str]:
    if stream:
        make: Any = {"chat": chat_stream, "responses": responses_stream, "messages": messages_stream}[dialect]
        return b"".join(make(holds)), "text/event-stream"
    whole = {
        "chat": lambda: completion("chat.completion", holds, "stop", "message"),
        "responses": lambda: response([holds]),
        "messages": lambda: message([holds], "end_turn"),
    }[dialect]()
    return json.dumps(whole).encode(), "application/json"


def outcome(sim: Simulator, dialect: str, holds: dict[str, Any], *, stream: bool, sync: bool) -> Exception | None:
    content, kind = answer_of(dialect, holds, stream)
    sim.reset()
    sim.play(content, content_type=kind)

    def create(client: Any) -> Any:
        if dialect == "chat":
            return client.chat.completions.create(**CHATTING, stream=stream)
        request = RESPONDING if dialect == "responses" else MESSAGING
        return getattr(client, dialect).create(**request, stream=stream)

    async def acreate() -> None:
        async with async_claude(sim) if dialect == "messages" else async_chat_client(sim) as client:
            answer = await create(client)
            if stream:
                async for _ in answer:
                    pass

    try:
        if sync:
            answer = create(claude(sim) if dialect == "messages" else chat_client(sim))
            for _ in answer if stream else ():
                pass
        else:
            asyncio.run(acreate())
    except Exception as error:
        return error
    return None


CASES = [
    *(pytest.param("responses", item, marks=needs_responses, id=item["type"]) for item in ITEMS),
    *(pytest.param("messages", each, id=each["type"]) for each in BLOCKS),
    *(pytest.param("chat", each, id=f"chat-{next(iter(each))}-{n}") for n, each in enumerate(MESSAGES)),
]


@sync_and_async
@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize(("dialect", "holds"), CASES)
def test_something_besides_text_is_not_empty(
    sim: Simulator, dialect: str, holds: dict[str, Any], stream: bool, sync: bool
) -> None:
    l0.instrument(l0.Policy(guardrails="minimal", retry=l0.Retry(attempts=0, max_retries=0)))
    assert outcome(sim, dialect, holds, stream=stream, sync=sync) is None
    assert len(sim.requests) == 1


EMPTY = [
    *(pytest.param("responses", item, marks=needs_responses, id=f"empty-{n}") for n, item in enumerate(EMPTY_ITEMS)),
    pytest.param("messages", {"type": "text", "text": ""}, id="empty-text"),
    pytest.param("chat", {"content": " "}, id="empty-chat"),
]


@sync_and_async
@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize(("dialect", "holds"), EMPTY)
def test_nothing_at_all_is_empty(sim: Simulator, dialect: str, holds: dict[str, Any], stream: bool, sync: bool) -> None:
    l0.instrument(l0.Policy(guardrails="minimal", retry=l0.Retry(attempts=0, max_retries=0)))
    error = outcome(sim, dialect, holds, stream=stream, sync=sync)
    assert "zero_output" in str(error)
