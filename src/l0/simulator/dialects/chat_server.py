"""Simulate OpenAI chat completions."""

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import zip_longest
from typing import Any

from ..answers import Answer, SimulatedToolCall, count, pieces
from ..continuation import prefilled, text_to_continue
from ..conversation import conversations, text_in
from ..logprobs import entry
from ..media import picture, sound, sounds
from ..schema_example import example
from ..sse_writer import PLACEHOLDER, block, dumps, quoted, template
from . import openai_server
from .server_dialect import (
    MAX_CHOICES,
    AnswerIdentity,
    Dialect,
    Json,
    Role,
    SimulatedRequest,
    prompt_tokens,
    required,
    token_limit,
    top_logprobs,
    whole_number,
)

_DONE = block("[DONE]")
_CONTENT = re.compile(
    rb'"(?:content|reasoning_content|reasoning|refusal|arguments|data)":\s*"[^"]|"(?:tool_calls|images)":'
)
_FINISH = re.compile(rb'"finish_reason":\s*"|"usage":\s*\{')


def read_request(body: Mapping[str, Any]) -> SimulatedRequest:
    """Read a request body."""
    required(body, "model", "messages")
    return SimulatedRequest(
        model=str(body["model"]),
        stream=bool(body.get("stream")),
        prompt=text_in(body["messages"]),
        choices=whole_number(body, "n", 1, MAX_CHOICES),
        usage=bool((body.get("stream_options") or {}).get("include_usage")),
        schema=_schema(body.get("response_format")),
        forced_tool=forced_tool(body.get("tools"), body.get("tool_choice")),
        # OpenAI's models ignore a final assistant message. DeepSeek and Mistral continue it if it has the flag.
        prefix=prefilled(body["messages"], "prefix") or text_to_continue(body["messages"]),
        conversations=conversations(body["messages"]),
        logprobs=top_logprobs(body, "top_logprobs") if body.get("logprobs") else None,
        max_tokens=token_limit(body, "max_completion_tokens", "max_tokens"),
        audio="audio" in (body.get("modalities") or ()),
    )


def forced_tool(tools: Any, choice: Any) -> SimulatedToolCall | None:
    """Return the tool call that `tool_choice` requires, with arguments that match the tool's schema."""
    if choice == "required":
        name = ""
    elif isinstance(choice, Mapping):
        name = str(choice.get("function", choice).get("name", ""))
    else:
        return None
    name, schema = openai_server.find_tool(tools, name)
    return SimulatedToolCall(name=name, arguments=dumps(example(schema or {"type": "object"})))


def _schema(response_format: Any) -> str | None:
    if not isinstance(response_format, Mapping):
        return None
    if response_format.get("type") == "json_object":
        return dumps({"answer": "text"})
    schema = (response_format.get("json_schema") or {}).get("schema")
    return dumps(example(schema)) if schema else None


def events(answer: Answer, request: SimulatedRequest, identity: AnswerIdentity) -> Iterator[bytes]:
    """Yield the answer as chunks: a chunk of each choice in turn, then usage if requested, then `[DONE]`."""
    for turn in zip_longest(*(_choice(answer, request, identity, i) for i in range(request.choices))):
        yield from filter(None, turn)
    if request.usage:
        yield block(_chunk(request, identity) | {"choices": [], "usage": _usage(answer, request)})
    yield _DONE


def _choice(answer: Answer, request: SimulatedRequest, identity: AnswerIdentity, index: int) -> Iterator[bytes]:
    def chunk(delta: Json, finish: str | None = None, logprobs: Json | None = None) -> Json:
        return _chunk(request, identity) | {
            "choices": [{"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": finish}],
            **({"usage": None} if request.usage else {}),
            "obfuscation": "k3Zq",  # OpenAI adds random characters, which hide the length of the delta
        }

    def deltas(delta: Json, parts: Iterator[str]) -> Iterator[bytes]:
        head, tail = template(chunk(delta))
        return (head + quoted(part) + tail for part in parts)

    has_no_text = answer.tool_calls or request.audio
    yield block(chunk({"role": "assistant", "content": None if has_no_text else "", "refusal": None}))
    yield from deltas({"reasoning_content": PLACEHOLDER}, pieces(answer.reasoning))
    if request.audio:
        yield from (block(chunk({"audio": each})) for each in _audio_deltas(answer, identity, index))
    elif request.logprobs is None:
        yield from deltas({"content": PLACEHOLDER}, answer.pieces_of(index))
    else:
        for piece in answer.pieces_of(index):
            yield block(chunk({"content": piece}, logprobs=_logprobs([piece], request)))
    if answer.images:
        yield block(chunk({"images": _images(answer)}))
    yield from deltas({"refusal": PLACEHOLDER}, pieces(answer.refusal))
    for number, call in enumerate(answer.tool_calls):
        yield block(chunk({"tool_calls": [{"index": number} | _call(call, identity, number, arguments="")]}))
        yield from deltas(
            {"tool_calls": [{"index": number, "function": {"arguments": PLACEHOLDER}}]}, pieces(call.arguments)
        )
    yield block(chunk({}, finish_reason(answer)))


def complete_response(answer: Answer, request: SimulatedRequest, identity: AnswerIdentity) -> Json:
    """Return the answer as one body."""
    calls = [_call(call, identity, i, call.arguments) for i, call in enumerate(answer.tool_calls)]
    extra: Json = {"tool_calls": calls} if calls else {}
    if answer.reasoning:
        extra["reasoning_content"] = answer.reasoning
    if answer.images:
        extra["images"] = _images(answer)
    choices = [
        {
            "index": i,
            "message": {
                "role": "assistant",
                "content": None if request.audio else answer.text_of(i) or None,
                "refusal": answer.refusal or None,
                "annotations": [],
                **extra,
                **({"audio": _audio(answer, identity, i)} if request.audio else {}),
            },
            "logprobs": _logprobs(answer.pieces_of(i), request),
            "finish_reason": finish_reason(answer),
        }
        for i in range(request.choices)
    ]
    return _chunk(request, identity) | {
        "object": "chat.completion",
        "choices": choices,
        "usage": _usage(answer, request),
    }


def _audio_deltas(answer: Answer, identity: AnswerIdentity, index: int) -> Iterator[Json]:
    """Yield the id, then transcript and data alternately, then the time at which the provider deletes the audio."""
    yield {"id": _audio_id(identity, index), "transcript": ""}
    for number, piece in enumerate(answer.pieces_of(index)):
        yield {"transcript": piece}
        yield {"data": sound(number)}
    yield {"expires_at": identity.created + 3_600}


def _audio(answer: Answer, identity: AnswerIdentity, index: int) -> Json:
    return {
        "id": _audio_id(identity, index),
        "data": sounds(sum(1 for _ in answer.pieces_of(index))),
        "expires_at": identity.created + 3_600,
        "transcript": answer.text_of(index),
    }


def _audio_id(identity: AnswerIdentity, index: int) -> str:
    return f"audio_{identity.digits}{index}"


def _images(answer: Answer) -> list[Json]:
    urls = (f"data:image/png;base64,{picture(number)}" for number in range(answer.images))
    return [{"type": "image_url", "image_url": {"url": url}, "index": number} for number, url in enumerate(urls)]


def _logprobs(tokens: Iterable[str], request: SimulatedRequest) -> Json | None:
    top = request.logprobs
    return None if top is None else {"content": [entry(token, top) for token in tokens], "refusal": None}


def finish_reason(answer: Answer) -> str:
    """Return the finish reason in this dialect."""
    return "tool_calls" if answer.tool_calls and answer.stop == "stop" else answer.stop


def _chunk(request: SimulatedRequest, identity: AnswerIdentity) -> Json:
    return {
        "id": f"chatcmpl-{identity.digits}",
        "object": "chat.completion.chunk",
        "created": identity.created,
        "model": request.model,
        "service_tier": "default",
        "system_fingerprint": "fp_5133a11ced",
    }


def _call(call: SimulatedToolCall, identity: AnswerIdentity, number: int, arguments: str) -> Json:
    return {
        "id": f"call_{identity.digits}{number}",
        "type": "function",
        "function": {"name": call.name, "arguments": arguments},
    }


def _usage(answer: Answer, request: SimulatedRequest) -> Json:
    return openai_server.usage(prompt_tokens(request), answer.output_tokens(request.choices), count(answer.reasoning))


def role(chunk: bytes) -> Role:
    """Return the role of a block."""
    if b"[DONE]" in chunk[-20:]:
        return "end"
    if _FINISH.search(chunk):
        return "finish"
    return "content" if _CONTENT.search(chunk) else "lifecycle"


def empty_event(identity: AnswerIdentity) -> bytes:
    """Return a chunk with an empty delta."""
    choice = {"index": 0, "delta": {}, "logprobs": None, "finish_reason": None}
    return block(_chunk(SimulatedRequest(model="simulated"), identity) | {"choices": [choice]})


CHAT = Dialect(
    name="chat",
    read_request=read_request,
    events=events,
    complete=complete_response,
    error=openai_server.error,
    in_band=openai_server.in_band,
    failed=openai_server.in_band,
    role=role,
    idle=b": PROCESSING\n\n",
    empty_event=empty_event,
    headers=openai_server.headers,
)
