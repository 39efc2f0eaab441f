"""Hand-made data: what servers really send beside the specification, and what nobody should send."""

from typing import Any


def _chunk(delta: Any, choice: dict[str, Any] | None = None, **top: Any) -> dict[str, Any]:
    first = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": None, **(choice or {})}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1741569952,
        "model": "gpt-4o",
        "choices": [first],
        **top,
    }


_TOKEN = {"token": " Hi", "logprob": -0.25, "bytes": [32, 72]}
_LOGPROBS = {"content": [{**_TOKEN, "top_logprobs": [_TOKEN, {"token": "x", "logprob": -9, "bytes": None}]}]}
_CALL = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "f", "arguments": ""}}
_TEXT = {"content": "x"}

CHAT: list[Any] = [
    _chunk({"role": "assistant", "content": "", "refusal": None}),
    _chunk({"content": " Hello"}),
    _chunk({}, {"finish_reason": "stop"}, usage={"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}),
    _chunk({"tool_calls": [_CALL]}),
    _chunk({"tool_calls": [{"index": 0, "function": {"arguments": '{"a'}}]}),
    _chunk({"tool_calls": [_CALL, {"index": 1, "function": {"zz": 1}, "extra_content": {"google": {}}}]}),
    _chunk({"function_call": {"name": "f", "arguments": "{"}}),
    _chunk({"content": None, "refusal": "I can't"}),
    _chunk(_TEXT, {"logprobs": _LOGPROBS}),
    _chunk({**_TEXT, "reasoning_content": "hm", "reasoning_details": [{"a": 1}]}),
    _chunk({}, {"finish_reason": "eos", "native_finish_reason": "stop", "stop_reason": None}),
    _chunk({"role": "weird", "content": "x"}),
    _chunk({"content": ["a"]}),
    _chunk({"content": 5}),
    _chunk({"audio": {"id": "a", "data": "AAAA", "expires_at": 5, "transcript": "t"}}),
    _chunk(None),
    _chunk([]),
    _chunk([{}]),
    _chunk(_TEXT, service_tier="on_demand", x_groq={"id": "r"}, id=None, model=None, created=None),
    *(_chunk(_TEXT, choices=odd) for odd in (None, {}, [None], "no", [], [{}], [[]], [_TEXT, None, _TEXT])),
    *(_chunk(_TEXT, created=odd) for odd in ("123", 1.5, 1.0, True)),
    *(
        _chunk({}, usage=odd)
        for odd in (
            "n/a",
            {},
            {"prompt_tokens": 1.0, "completion_tokens": 2, "total_tokens": 3},
            {"prompt_tokens": 1, "completion_tokens": None, "total_tokens": 3},
            {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3, "cost": 0.1, "prompt_tokens_details": None},
        )
    ),
]

_RESPONSE = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1741569952,
    "status": "in_progress",
    "error": None,
    "incomplete_details": None,
    "instructions": None,
    "metadata": {},
    "model": "gpt-4o",
    "output": [],
    "parallel_tool_calls": True,
    "temperature": 1,
    "tool_choice": "auto",
    "tools": [
        {"type": "function", "name": "f", "parameters": {"type": "object"}, "strict": True},
        {"type": "new_tool"},
    ],
    "top_p": 1.0,
    "usage": None,
}
_DELTA = {
    "type": "response.output_text.delta",
    "item_id": "m",
    "output_index": 0,
    "content_index": 0,
    "delta": "x",
    "sequence_number": 4,
    "logprobs": [],
}

RESPONSES: list[Any] = [
    {"type": "response.created", "sequence_number": 0, "response": _RESPONSE},
    {"type": "response.created", "response": _RESPONSE},
    {"type": "response.completed", "sequence_number": 9, "response": {**_RESPONSE, "temperature": "1", "tools": None}},
    _DELTA,
    {**_DELTA, "obfuscation": "abc"},
    {key: value for key, value in _DELTA.items() if key != "logprobs"},
    {**_DELTA, "logprobs": None},
    {**_DELTA, "sequence_number": "4"},
    {**_DELTA, "delta": None},
    {**_DELTA, "logprobs": [{"token": "x", "logprob": -1, "top_logprobs": [{}], "extra": [1]}]},
    {**_DELTA, "type": "response.brand_new.delta"},
    {"type": "error", "code": None, "message": "m", "param": None, "sequence_number": 1},
    {"type": "error", "error": {"message": "m"}},
    {"type": "keepalive", "sequence_number": 3},
]

MESSAGES: list[Any] = [
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hello"}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta", "partial_json": "{"}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "brand_new_delta", "text": "Hello"}},
    {"type": "content_block_delta", "index": "0", "delta": {"type": "text_delta", "text": None}},
    {"type": "content_block_delta", "index": 0, "delta": None},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "tool_use", "id": "t", "name": "f"}},
    {"type": "content_block_stop", "index": 0},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 3}},
    {"type": "message_delta", "delta": {"stop_reason": "brand_new"}, "usage": None},
    {
        "type": "message_start",
        "message": {"id": "m", "type": "message", "role": "assistant", "content": [], "usage": {}},
    },
    {"type": "message_stop", "amazon-bedrock-invocationMetrics": {"inputTokenCount": 1}},
    {"type": "ping"},
    {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}},
]

ANYTHING: list[Any] = [
    {},
    [],
    [{}],
    None,
    "",
    "text",
    0,
    1.5,
    True,
    {"type": None},
    {"type": []},
    {"type": "ping"},
    {"_fields_set": ["a"], "id": "x"},
    {"cls": 1},
    {"self": 1},
    {"_BaseModel__cls": 1},
    {"choices": [{"delta": {"_fields_set": []}}]},
    {"id": "x", 1: "a key that JSON cannot have"},
    ["id", "choices"],
]

ALL = [*CHAT, *RESPONSES, *MESSAGES, *ANYTHING]
