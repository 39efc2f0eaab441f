"""OpenAI chat completions."""

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
from l0.simulator.sse import HOLE, block, dumps, quoted, template

_DONE = block("[DONE]")
_CONTENT = re.compile(rb'"(?:content|reasoning_content|reasoning|refusal|arguments)":\s*"[^"]|"tool_calls":')
_FINISH = re.compile(rb'"finish_reason":\s*"|"usage":\s*\{')


def ask(body: Mapping[str, Any]) -> Ask:
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
        # OpenAI's own models begin anew after a message of theirs; DeepSeek and Mistral go on where it has the flag.
        said=prefilled(body["messages"], "prefix") or instructed(body["messages"]),
    )


def forced(tools: Any, choice: Any) -> ToolCall | None:
    """The call that `tool_choice` insists on, with arguments that fit the tool's schema."""
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


def events(answer: Answer, ask: Ask, stamp: Stamp) -> Iterator[bytes]:
    """The answer as chunks: choices take turns, then usage where asked for, then `[DONE]`."""
    for turn in zip_longest(*(_choice(answer, ask, stamp, i) for i in range(ask.choices))):
        yield from filter(None, turn)
    if ask.usage:
        yield block(_chunk(ask, stamp) | {"choices": [], "usage": _usage(answer, ask)})
    yield _DONE


def _choice(answer: Answer, ask: Ask, stamp: Stamp, index: int) -> Iterator[bytes]:
    def chunk(delta: Json, finish: str | None = None) -> Json:
        return _chunk(ask, stamp) | {
            "choices": [{"index": index, "delta": delta, "logprobs": None, "finish_reason": finish}],
            **({"usage": None} if ask.usage else {}),
            "obfuscation": "k3Zq",
        }

    def spell(delta: Json, parts: Iterator[str]) -> Iterator[bytes]:
        head, tail = template(chunk(delta))
        return (head + quoted(part) + tail for part in parts)

    yield block(chunk({"role": "assistant", "content": None if answer.tool_calls else "", "refusal": None}))
    yield from spell({"reasoning_content": HOLE}, pieces(answer.reasoning))
    yield from spell({"content": HOLE}, answer.pieces_of(index))
    yield from spell({"refusal": HOLE}, pieces(answer.refusal))
    for number, call in enumerate(answer.tool_calls):
        yield block(chunk({"tool_calls": [{"index": number} | _call(call, stamp, number, arguments="")]}))
        yield from spell({"tool_calls": [{"index": number, "function": {"arguments": HOLE}}]}, pieces(call.arguments))
    yield block(chunk({}, finish_reason(answer)))


def whole(answer: Answer, ask: Ask, stamp: Stamp) -> Json:
    """The answer as one body."""
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
        for i in range(ask.choices)
    ]
    return _chunk(ask, stamp) | {"object": "chat.completion", "choices": choices, "usage": _usage(answer, ask)}


def finish_reason(answer: Answer) -> str:
    """Why the answer stopped, in this dialect's words."""
    return "tool_calls" if answer.tool_calls and answer.stop == "stop" else answer.stop


def _chunk(ask: Ask, stamp: Stamp) -> Json:
    return {
        "id": f"chatcmpl-{stamp.digits}",
        "object": "chat.completion.chunk",
        "created": stamp.created,
        "model": ask.model,
        "service_tier": "default",
        "system_fingerprint": "fp_5133a11ced",
    }


def _call(call: ToolCall, stamp: Stamp, number: int, arguments: str) -> Json:
    return {
        "id": f"call_{stamp.digits}{number}",
        "type": "function",
        "function": {"name": call.name, "arguments": arguments},
    }


def _usage(answer: Answer, ask: Ask) -> Json:
    return openai.usage(prompt_tokens(ask), answer.output_tokens(ask.choices), count(answer.reasoning))


def role(chunk: bytes) -> Role:
    """What a block is."""
    if b"[DONE]" in chunk[-20:]:
        return "end"
    if _FINISH.search(chunk):
        return "finish"
    return "content" if _CONTENT.search(chunk) else "lifecycle"


def hollow(stamp: Stamp) -> bytes:
    """A chunk with an empty delta."""
    choice = {"index": 0, "delta": {}, "logprobs": None, "finish_reason": None}
    return block(_chunk(Ask(model="simulated"), stamp) | {"choices": [choice]})


CHAT = Dialect(
    name="chat",
    ask=ask,
    events=events,
    whole=whole,
    error=openai.error,
    in_band=openai.in_band,
    failed=openai.in_band,
    role=role,
    idle=b": PROCESSING\n\n",
    hollow=hollow,
    headers=openai.headers,
)
