"""Simulate OpenAI chat completions."""

import re
from collections.abc import Iterator, Mapping
from itertools import zip_longest
from typing import Any

from l0.simulator.answers import Answer, ToolCall, count, pieces
from l0.simulator.continuing import instructed, prefilled
from l0.simulator.dialects import openai
from l0.simulator.dialects.base import (
    CHOICES,
    Ask,
    Dialect,
    Json,
    Role,
    Stamp,
    prompt_tokens,
    required,
    text_in,
    whole_number,
)
from l0.simulator.schema import example
from l0.simulator.sse import PLACEHOLDER, block, dumps, quoted, template

_DONE = block("[DONE]")
_CONTENT = re.compile(rb'"(?:content|reasoning_content|reasoning|refusal|arguments)":\s*"[^"]|"tool_calls":')
_FINISH = re.compile(rb'"finish_reason":\s*"|"usage":\s*\{')


def read_request(body: Mapping[str, Any]) -> Ask:
    """Read a request body."""
    required(body, "model", "messages")
    return Ask(
        model=str(body["model"]),
        stream=bool(body.get("stream")),
        prompt=text_in(body["messages"]),
        choices=whole_number(body, "n", 1, CHOICES),
        usage=bool((body.get("stream_options") or {}).get("include_usage")),
        schema=_schema(body.get("response_format")),
        forced=forced(body.get("tools"), body.get("tool_choice")),
        # OpenAI's models ignore a final assistant message. DeepSeek and Mistral continue it if it has the flag.
        prefix=prefilled(body["messages"], "prefix") or instructed(body["messages"]),
    )


def forced(tools: Any, choice: Any) -> ToolCall | None:
    """Return the tool call that `tool_choice` requires, with arguments that match the tool's schema."""
    if choice == "required":
        name = ""
    elif isinstance(choice, Mapping):
        name = str(choice.get("function", choice).get("name", ""))
    else:
        return None
    name, schema = openai.named(tools, name)
    return ToolCall(name=name, arguments=dumps(example(schema or {"type": "object"})))


def _schema(response_format: Any) -> str | None:
    if not isinstance(response_format, Mapping):
        return None
    if response_format.get("type") == "json_object":
        return dumps({"answer": "text"})
    schema = (response_format.get("json_schema") or {}).get("schema")
    return dumps(example(schema)) if schema else None


def events(answer: Answer, request: Ask, stamp: Stamp) -> Iterator[bytes]:
    """Yield the answer as chunks: choices in turns, then usage if requested, then `[DONE]`."""
    for turn in zip_longest(*(_choice(answer, request, stamp, i) for i in range(request.choices))):
        yield from filter(None, turn)
    if request.usage:
        yield block(_chunk(request, stamp) | {"choices": [], "usage": _usage(answer, request)})
    yield _DONE


def _choice(answer: Answer, request: Ask, stamp: Stamp, index: int) -> Iterator[bytes]:
    def chunk(delta: Json, finish: str | None = None) -> Json:
        return _chunk(request, stamp) | {
            "choices": [{"index": index, "delta": delta, "logprobs": None, "finish_reason": finish}],
            **({"usage": None} if request.usage else {}),
            "obfuscation": "k3Zq",
        }

    def deltas(delta: Json, parts: Iterator[str]) -> Iterator[bytes]:
        head, tail = template(chunk(delta))
        return (head + quoted(part) + tail for part in parts)

    yield block(chunk({"role": "assistant", "content": None if answer.tool_calls else "", "refusal": None}))
    yield from deltas({"reasoning_content": PLACEHOLDER}, pieces(answer.reasoning))
    yield from deltas({"content": PLACEHOLDER}, answer.pieces_of(index))
    yield from deltas({"refusal": PLACEHOLDER}, pieces(answer.refusal))
    for number, call in enumerate(answer.tool_calls):
        yield block(chunk({"tool_calls": [{"index": number} | _call(call, stamp, number, arguments="")]}))
        yield from deltas(
            {"tool_calls": [{"index": number, "function": {"arguments": PLACEHOLDER}}]}, pieces(call.arguments)
        )
    yield block(chunk({}, finish_reason(answer)))


def whole(answer: Answer, request: Ask, stamp: Stamp) -> Json:
    """Return the answer as one body."""
    calls = [_call(call, stamp, i, call.arguments) for i, call in enumerate(answer.tool_calls)]
    extra: Json = {"tool_calls": calls} if calls else {}
    if answer.reasoning:
        extra["reasoning_content"] = answer.reasoning
    choices = [
        {
            "index": i,
            "message": {
                "role": "assistant",
                "content": answer.text_of(i) or None,
                "refusal": answer.refusal or None,
                "annotations": [],
                **extra,
            },
            "logprobs": None,
            "finish_reason": finish_reason(answer),
        }
        for i in range(request.choices)
    ]
    return _chunk(request, stamp) | {"object": "chat.completion", "choices": choices, "usage": _usage(answer, request)}


def finish_reason(answer: Answer) -> str:
    """Return the finish reason in this dialect."""
    return "tool_calls" if answer.tool_calls and answer.stop == "stop" else answer.stop


def _chunk(request: Ask, stamp: Stamp) -> Json:
    return {
        "id": f"chatcmpl-{stamp.digits}",
        "object": "chat.completion.chunk",
        "created": stamp.created,
        "model": request.model,
        "service_tier": "default",
        "system_fingerprint": "fp_5133a11ced",
    }


def _call(call: ToolCall, stamp: Stamp, number: int, arguments: str) -> Json:
    return {
        "id": f"call_{stamp.digits}{number}",
        "type": "function",
        "function": {"name": call.name, "arguments": arguments},
    }


def _usage(answer: Answer, request: Ask) -> Json:
    return openai.usage(prompt_tokens(request), answer.output_tokens(request.choices), count(answer.reasoning))


def role(chunk: bytes) -> Role:
    """Return the role of a block."""
    if b"[DONE]" in chunk[-20:]:
        return "end"
    if _FINISH.search(chunk):
        return "finish"
    return "content" if _CONTENT.search(chunk) else "lifecycle"


def empty_event(stamp: Stamp) -> bytes:
    """Return a chunk with an empty delta."""
    choice = {"index": 0, "delta": {}, "logprobs": None, "finish_reason": None}
    return block(_chunk(Ask(model="simulated"), stamp) | {"choices": [choice]})


CHAT = Dialect(
    name="chat",
    read_request=read_request,
    events=events,
    whole=whole,
    error=openai.error,
    in_band=openai.in_band,
    failed=openai.in_band,
    role=role,
    idle=b": PROCESSING\n\n",
    empty_event=empty_event,
    headers=openai.headers,
)
