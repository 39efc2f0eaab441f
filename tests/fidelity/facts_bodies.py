"""One answer of each dialect in which everything occurs that is read for facts: streams as events, answers as JSON."""

from __future__ import annotations

import json
from typing import Any

Json = Any

_CHUNK = {"id": "c-1", "object": "chat.completion.chunk", "created": 1, "model": "m", "service_tier": "default"}
_LOGPROBS = {"content": [{"token": "a", "logprob": -0.5, "bytes": [97], "top_logprobs": []}], "refusal": None}
_CHAT_USAGE = {
    "prompt_tokens": 9,
    "completion_tokens": 7,
    "total_tokens": 16,
    "prompt_tokens_details": {"cached_tokens": 2},
    "completion_tokens_details": {"reasoning_tokens": 3},
}
_CALL = {"index": 0, "id": "call-1", "type": "function", "function": {"name": "f", "arguments": ""}}


def _chunk(delta: Json, reason: str | None = None, **more: Json) -> Json:
    return {**_CHUNK, "choices": [{"index": 0, "delta": delta, "finish_reason": reason, **more}]}


_CHAT = [
    _chunk({"role": "assistant", "content": ""}),
    _chunk({"content": "The weather "}, logprobs=_LOGPROBS),
    _chunk({"content": "is fine."}),
    _chunk({"reasoning_content": "hm", "reasoning_details": [{"type": "text", "text": "hm"}]}),
    _chunk({"tool_calls": [_CALL]}),
    _chunk({"tool_calls": [{"index": 0, "function": {"arguments": '{"a":1}'}}]}),
    _chunk({"refusal": "no", "audio": {"id": "a", "data": "AAAA"}}),
    _chunk({"function_call": {"name": "g", "arguments": "{}"}}),
    _chunk({}, "stop"),
    {**_CHUNK, "choices": [], "usage": _CHAT_USAGE, "system_fingerprint": "fp"},
]

_TEXT_CHUNK = {"id": "t-1", "object": "text_completion", "created": 1, "model": "m"}
_COMPLETIONS = [
    {**_TEXT_CHUNK, "choices": [{"index": 0, "text": "The weather ", "finish_reason": None, "logprobs": None}]},
    {**_TEXT_CHUNK, "choices": [{"index": 0, "text": "is fine.", "finish_reason": "stop", "logprobs": None}]},
    {**_TEXT_CHUNK, "choices": [], "usage": _CHAT_USAGE},
]

_RESPONSE = {
    "id": "resp-1",
    "object": "response",
    "created_at": 1,
    "status": "in_progress",
    "error": None,
    "model": "m",
    "output": [],
    "service_tier": "default",
    "usage": None,
}
_RESPONSES_USAGE = {
    "input_tokens": 9,
    "output_tokens": 7,
    "total_tokens": 16,
    "input_tokens_details": {"cached_tokens": 2},
    "output_tokens_details": {"reasoning_tokens": 3},
}
_PART = {"type": "output_text", "text": "The weather is fine.", "annotations": []}
_SAID = {"id": "msg-1", "type": "message", "role": "assistant", "status": "completed", "content": [_PART]}
_CALLED = {"id": "fc-1", "type": "function_call", "call_id": "c", "name": "f", "arguments": '{"a":1}'}
_WHOLE_RESPONSE = {**_RESPONSE, "status": "completed", "output": [_SAID, _CALLED], "usage": _RESPONSES_USAGE}
_AT = {"item_id": "msg-1", "output_index": 0, "content_index": 0}
_AT_CALL = {"item_id": "fc-1", "output_index": 1}

_RESPONSES = [
    {"type": "response.created", "response": _RESPONSE},
    {"type": "response.output_item.added", "output_index": 0, "item": {**_SAID, "content": []}},
    {"type": "response.content_part.added", **_AT, "part": {**_PART, "text": ""}},
    {"type": "response.output_text.delta", **_AT, "delta": "The weather "},
    {"type": "response.output_text.delta", **_AT, "delta": "is fine."},
    {"type": "response.output_text.annotation.added", **_AT, "annotation_index": 0, "annotation": {"type": "x"}},
    {"type": "response.output_text.done", **_AT, "text": "The weather is fine."},
    {"type": "response.output_item.added", "output_index": 1, "item": {**_CALLED, "arguments": ""}},
    {"type": "response.function_call_arguments.delta", **_AT_CALL, "delta": '{"a":1}'},
    {"type": "response.function_call_arguments.done", **_AT_CALL, "arguments": '{"a":1}'},
    {"type": "response.reasoning_summary_text.delta", "item_id": "r", "output_index": 2, "delta": "hm"},
    {"type": "response.web_search_call.searching", "item_id": "w", "output_index": 3},
    {"type": "response.output_item.done", "output_index": 1, "item": _CALLED},
    {"type": "response.completed", "response": _WHOLE_RESPONSE},
]
_FAILED = [
    _RESPONSES[0],
    {
        "type": "response.failed",
        "response": {**_RESPONSE, "status": "failed", "error": {"code": "server_error", "message": "m"}},
    },
]
_INCOMPLETE = [
    *_RESPONSES[:7],
    {
        "type": "response.incomplete",
        "response": {**_WHOLE_RESPONSE, "status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}},
    },
]

_MESSAGES_USAGE = {
    "input_tokens": 9,
    "output_tokens": 1,
    "cache_read_input_tokens": 2,
    "cache_creation_input_tokens": 1,
    "service_tier": "standard",
    "output_tokens_details": {"thinking_tokens": 1},
}
_MESSAGE = {
    "id": "m-1",
    "type": "message",
    "role": "assistant",
    "model": "m",
    "content": [],
    "stop_reason": None,
    "stop_sequence": None,
    "usage": _MESSAGES_USAGE,
}


def _block(index: int, block: Json, *deltas: Json) -> list[Json]:
    return [
        {"type": "content_block_start", "index": index, "content_block": block},
        *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": index},
    ]


_MESSAGES = [
    {"type": "message_start", "message": _MESSAGE},
    *_block(0, {"type": "thinking", "thinking": ""}, {"type": "thinking_delta", "thinking": "hm"}),
    *_block(
        1,
        {"type": "text", "text": ""},
        {"type": "text_delta", "text": "The weather "},
        {"type": "text_delta", "text": "is fine."},
        {"type": "citations_delta", "citation": {"type": "char_location", "cited_text": "x"}},
    ),
    *_block(
        2,
        {"type": "tool_use", "id": "tool-1", "name": "f", "input": {}},
        {"type": "input_json_delta", "partial_json": '{"a":1}'},
    ),
    *_block(3, {"type": "server_tool_use", "id": "tool-2", "name": "web_search", "input": {}}),
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {**_MESSAGES_USAGE, "output_tokens": 7}},
    {"type": "message_stop"},
]

STREAMS: dict[str, tuple[str, list[Json]]] = {
    "chat": ("chat", _CHAT),
    "chat-no-done": ("chat", [*_CHAT[:3], *_CHAT[8:]]),
    "completions": ("completions", _COMPLETIONS),
    "responses": ("responses", _RESPONSES),
    "responses-numbered": ("responses", [{**one, "sequence_number": at} for at, one in enumerate(_RESPONSES[:5])]
                           + [{**_RESPONSES[-1], "sequence_number": 5}]),
    "responses-failed": ("responses", _FAILED),
    "responses-incomplete": ("responses", _INCOMPLETE),
    "messages": ("messages", _MESSAGES),
}  # fmt: skip
"""Name to dialect and events."""
WITHOUT_DONE = frozenset({"chat-no-done"})
"""Streams whose one terminal marker is the finish reason."""

_ANSWER = {
    "role": "assistant",
    "content": "The weather is fine.",
    "refusal": None,
    "reasoning_content": "hm",
    "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}],
}
ANSWERS: dict[str, Json] = {
    "chat": {
        **_CHUNK,
        "object": "chat.completion",
        "choices": [{"index": 0, "message": _ANSWER, "finish_reason": "stop", "logprobs": _LOGPROBS}],
        "usage": _CHAT_USAGE,
        "system_fingerprint": "fp",
    },
    "completions": {
        **_TEXT_CHUNK,
        "choices": [{"index": 0, "text": "The weather is fine.", "finish_reason": "stop", "logprobs": None}],
        "usage": _CHAT_USAGE,
    },
    "responses": _WHOLE_RESPONSE,
    "messages": {
        **_MESSAGE,
        "content": [
            {"type": "thinking", "thinking": "hm", "signature": "s"},
            {"type": "text", "text": "The weather is fine.", "citations": None},
            {"type": "tool_use", "id": "tool-1", "name": "f", "input": {"a": 1}},
        ],
        "stop_reason": "end_turn",
        "usage": _MESSAGES_USAGE,
    },
    "embeddings": {
        "object": "list",
        "model": "m",
        "data": [{"object": "embedding", "index": 0, "embedding": [0.1, 0.2]}],
        "usage": {"prompt_tokens": 9, "total_tokens": 9},
    },
}
"""Dialect to the JSON of a whole answer."""

REFUSALS: dict[str, Json] = {
    "chat": {"error": {"message": "m", "type": "server_error", "param": None, "code": "server_error"}},
    "messages": {"type": "error", "error": {"type": "api_error", "message": "m"}, "request_id": "r"},
}
"""Dialect to the JSON of an error response."""


def wire(name: str, *, at: int | None = None, changed: Json = None) -> bytes:
    """A stream's body; the data of event ``at`` is ``changed``. What names an event stays as it is."""
    dialect, events = STREAMS[name]
    names = [b"event: %s\n" % one["type"].encode() if "type" in one else b"" for one in events]
    data = [json.dumps(changed if number == at else one).encode() for number, one in enumerate(events)]
    parts = [name + b"data: " + one + b"\n\n" for name, one in zip(names, data, strict=True)]
    if dialect in ("chat", "completions") and name not in WITHOUT_DONE:
        parts.append(b"data: [DONE]\n\n")
    return b"".join(parts)
