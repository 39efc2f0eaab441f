"""Simulate Amazon Bedrock's `Converse` and `ConverseStream`, for any model."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from l0.wire.event_stream import CONTENT_TYPE

from ..answers import Answer, SimulatedToolCall, pieces
from ..continuation import prefilled, text_to_continue
from ..conversation import conversations, text_in
from ..schema_example import example
from ..sse_writer import PLACEHOLDER, block, dumps, quoted, template
from .bedrock_frames import ERRORS, error, event_frame, headers, path_fields
from .server_dialect import (
    AnswerIdentity,
    Dialect,
    ErrorSpec,
    Json,
    Role,
    SimulatedRequest,
    prompt_tokens,
    required,
    token_limit,
)

_SIGNATURE = "c2ltdWxhdGVkLXNpZ25hdHVyZQ=="
_NAME = re.compile(rb"\Aevent: ([A-Za-z]+)")
_ROLES: Mapping[bytes, Role] = {b"contentBlockDelta": "content", b"messageStop": "finish", b"metadata": "end"}


def read_request(body: Mapping[str, Any]) -> SimulatedRequest:
    """Read a request body, to which the fields of its path were added."""
    required(body, "model", "messages")
    settings = body.get("inferenceConfig") or {}
    messages = [_message(message) for message in body["messages"]]
    system = text_in(body.get("system"))
    return SimulatedRequest(
        model=str(body["model"]),
        stream=bool(body.get("stream")),
        prompt="\n".join(filter(None, (system, text_in(messages)))),
        forced_tool=_forced_tool(body.get("toolConfig") or {}),
        prefix=prefilled(messages) or text_to_continue(messages),
        conversations=conversations(messages, system),
        max_tokens=token_limit(settings, "maxTokens"),
    )


def _message(message: Mapping[str, Any]) -> Json:
    """Return a message in the form of chat and messages, which `conversations` reads."""
    return {"role": message.get("role"), "content": [_part(part) for part in message.get("content") or ()]}


def _part(part: Mapping[str, Any]) -> Json:
    result = part.get("toolResult")
    if result is not None:
        return {"type": "tool_result", "content": dumps(result.get("content"))}
    return {"type": "text", "text": part.get("text") or ""}


def _forced_tool(tools: Mapping[str, Any]) -> SimulatedToolCall | None:
    choice = tools.get("toolChoice") or {}
    if "any" not in choice and "tool" not in choice:
        return None
    for spec in (tool["toolSpec"] for tool in tools.get("tools") or () if "toolSpec" in tool):
        if (choice.get("tool") or {}).get("name", spec.get("name")) == spec.get("name"):
            schema = (spec.get("inputSchema") or {}).get("json") or {"type": "object"}
            return SimulatedToolCall(name=str(spec["name"]), arguments=dumps(example(schema)))
    return None


def events(answer: Answer, request: SimulatedRequest, identity: AnswerIdentity) -> Iterator[bytes]:
    """Yield content blocks between `messageStart` and `messageStop`, and the usage in `metadata`."""
    yield block({"role": "assistant"}, "messageStart")
    for index, (start, deltas) in enumerate(_blocks(answer, identity)):
        place = {"contentBlockIndex": index}
        if start is not None:
            yield block({**place, "start": start}, "contentBlockStart")
        for delta, texts in deltas:
            head, tail = template({**place, "delta": delta}, "contentBlockDelta")
            yield from (head + quoted(text) + tail for text in texts)
        yield block(place, "contentBlockStop")
    yield block({"stopReason": stop_reason(answer)}, "messageStop")
    yield block({"usage": _usage(answer, request), "metrics": {"latencyMs": 1}}, "metadata")


_Deltas = list[tuple[Json, Iterator[str]]]


def _blocks(answer: Answer, identity: AnswerIdentity) -> Iterator[tuple[Json | None, _Deltas]]:
    """Yield the start of each content block, if it has one, and its deltas as pairs of a template and texts."""
    if answer.reasoning:
        yield (
            None,
            [
                ({"reasoningContent": {"text": PLACEHOLDER}}, pieces(answer.reasoning)),
                ({"reasoningContent": {"signature": PLACEHOLDER}}, iter((_SIGNATURE,))),
            ],
        )
    if answer.text or answer.tokens or answer.refusal:
        parts = answer.pieces_of(0) if answer.text or answer.tokens else pieces(answer.refusal)
        yield None, [({"text": PLACEHOLDER}, parts)]
    for number, call in enumerate(answer.tool_calls):
        start = {"toolUse": {"toolUseId": _tool_id(identity, number), "name": call.name}}
        yield start, [({"toolUse": {"input": PLACEHOLDER}}, pieces(call.arguments))]


def complete_response(answer: Answer, request: SimulatedRequest, identity: AnswerIdentity) -> Json:
    """Return the answer as one body."""
    content: list[Json] = []
    if answer.reasoning:
        content.append({"reasoningContent": {"reasoningText": {"text": answer.reasoning, "signature": _SIGNATURE}}})
    if answer.text or answer.tokens or answer.refusal:
        content.append({"text": answer.text_of(0) or answer.refusal})
    for number, call in enumerate(answer.tool_calls):
        tool_use = {"toolUseId": _tool_id(identity, number), "name": call.name, "input": call.parsed_arguments()}
        content.append({"toolUse": tool_use})
    return {
        "output": {"message": {"role": "assistant", "content": content}},
        "stopReason": stop_reason(answer),
        "usage": _usage(answer, request),
        "metrics": {"latencyMs": 1},
    }


def stop_reason(answer: Answer) -> str:
    """Return the stop reason in this dialect."""
    if answer.refusal or answer.stop == "content_filter":
        return "content_filtered"
    if answer.stop == "length":
        return "max_tokens"
    return "tool_use" if answer.tool_calls else "end_turn"


def _tool_id(identity: AnswerIdentity, number: int) -> str:
    return f"tooluse_{identity.digits}{number}"


def _usage(answer: Answer, request: SimulatedRequest) -> Json:
    prompt, output = prompt_tokens(request), answer.output_tokens()
    return {"inputTokens": prompt, "outputTokens": output, "totalTokens": prompt + output}


def in_band(error_spec: ErrorSpec, _number: int, _identity: AnswerIdentity) -> bytes:
    """Return an exception inside a stream, by default `serviceUnavailableException`.

    Inside a stream, the names of exceptions begin with a small letter.
    """
    kind = error_spec.code or ""
    kind = kind if kind in ERRORS.values() else ERRORS[503]
    message = error_spec.message or "Bedrock is unable to process your request."
    return block({"message": message}, kind[0].lower() + kind[1:])


def role(chunk: bytes) -> Role:
    """Return the role of a block."""
    found = _NAME.match(chunk)
    return _ROLES.get(found[1], "lifecycle") if found else "lifecycle"


def empty_event(_identity: AnswerIdentity) -> bytes:
    """Return a delta without text."""
    return block({"contentBlockIndex": 0, "delta": {"text": ""}}, "contentBlockDelta")


CONVERSE = Dialect(
    name="converse",
    read_request=read_request,
    events=events,
    complete=complete_response,
    error=error,
    in_band=in_band,
    failed=in_band,
    role=role,
    idle=block({}, "initial-response"),
    empty_event=empty_event,
    headers=headers,
    path_fields=path_fields,
    stream_type=CONTENT_TYPE,
    frame=event_frame,
)
