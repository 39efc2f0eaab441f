"""Simulate Anthropic messages."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ..answers import Answer, SimulatedToolCall, pieces
from ..continuation import prefilled, text_to_continue
from ..conversation import conversations, text_in
from ..schema_example import example
from ..sse_writer import PLACEHOLDER, block, dumps, quoted, template
from .server_dialect import (
    AnswerIdentity,
    Dialect,
    ErrorSpec,
    InvalidRequestError,
    Json,
    Role,
    SimulatedRequest,
    prompt_tokens,
    required,
    token_limit,
)

_SIGNATURE = "ErUBCkYIBRgCIkBzaW11bGF0ZWQtc2lnbmF0dXJlLW9mLXRoaW5raW5n"
_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}
_MESSAGES = {
    401: "invalid x-api-key",
    404: "model not found",
    429: "This request would exceed your rate limit.",
    529: "Overloaded",
}
_PING = block({"type": "ping"}, "ping")
_TYPE = re.compile(rb'"type":\s*"([a-z_]+)"')
_VERSION = re.compile(r"claude-[a-z]+-(\d+)(?:-(\d{1,2}))?(?!\d)")
_LAST_PREFILL_VERSION = (4, 5)  # as of November 2026: later models reject a final assistant message


def read_request(body: Mapping[str, Any]) -> SimulatedRequest:
    """Read a request body."""
    required(body, "model", "messages", "max_tokens")
    return SimulatedRequest(
        model=str(body["model"]),
        stream=bool(body.get("stream")),
        prompt="\n".join(filter(None, (text_in(body.get("system")), text_in(body["messages"])))),
        schema=_schema(body),
        forced_tool=_forced_tool(body.get("tools") or [], body.get("tool_choice")),
        prefix=_prefilled(body) or text_to_continue(body["messages"]),
        conversations=conversations(body["messages"], body.get("system")),
        max_tokens=token_limit(body, "max_tokens"),
    )


def _prefilled(body: Mapping[str, Any]) -> str:
    """Return the text that the answer must begin with, or an empty text if the request has none.

    Raises `InvalidRequestError` with the API's own message if the API would reject the prefill.
    """
    prefix = prefilled(body["messages"])
    if not prefix:
        return ""
    version = _VERSION.match(str(body["model"]))
    if version and (int(version[1]), int(version[2] or 0)) > _LAST_PREFILL_VERSION:
        raise InvalidRequestError(
            "This model does not support assistant message prefill. The conversation must end with a user message."
        )
    if (body.get("thinking") or {}).get("type") in ("enabled", "adaptive"):
        raise InvalidRequestError("messages: prefilling the answer is not supported when thinking is on.")
    if prefix != prefix.rstrip():
        raise InvalidRequestError("messages: final assistant content cannot end with trailing whitespace")
    return prefix


def _schema(body: Mapping[str, Any]) -> str | None:
    response_format = (body.get("output_config") or {}).get("format") or body.get("output_format") or {}
    return dumps(example(response_format["schema"])) if response_format.get("schema") else None


def _forced_tool(tools: list[Json], choice: Any) -> SimulatedToolCall | None:
    if not isinstance(choice, Mapping) or choice.get("type") not in ("any", "tool"):
        return None
    for tool in tools:
        if choice.get("name", tool.get("name")) == tool.get("name"):
            schema = tool.get("input_schema") or {"type": "object"}
            return SimulatedToolCall(name=str(tool["name"]), arguments=dumps(example(schema)))
    return None


def events(answer: Answer, request: SimulatedRequest, identity: AnswerIdentity) -> Iterator[bytes]:
    """Yield content blocks between `message_start` and `message_stop`, with a ping after the first block start."""
    yield _event("message_start", message=_message(request, identity, [], None, _usage(request, 1)))
    ping = _PING
    for index, (start, deltas) in enumerate(_blocks(answer, identity)):
        yield _event("content_block_start", index=index, content_block=start)
        yield ping
        ping = b""
        for delta, parts in deltas:
            head, tail = template(
                {"type": "content_block_delta", "index": index, "delta": delta}, "content_block_delta"
            )
            yield from (head + quoted(part) + tail for part in parts)
        yield _event("content_block_stop", index=index)
    reason = {"stop_reason": stop_reason(answer), "stop_sequence": None, "stop_details": None}
    yield _event("message_delta", delta=reason, usage={"output_tokens": answer.output_tokens()})
    yield _event("message_stop")


_Deltas = list[tuple[Json, Iterator[str]]]


def _blocks(answer: Answer, identity: AnswerIdentity) -> Iterator[tuple[Json, _Deltas]]:
    """Yield each content block: its start, and its deltas as pairs of a template and texts."""
    if answer.reasoning:
        yield (
            {"type": "thinking", "thinking": "", "signature": ""},
            [
                ({"type": "thinking_delta", "thinking": PLACEHOLDER}, pieces(answer.reasoning)),
                ({"type": "signature_delta", "signature": PLACEHOLDER}, iter((_SIGNATURE,))),
            ],
        )
    if answer.text or answer.tokens or answer.refusal:
        parts = answer.pieces_of(0) if answer.text or answer.tokens else pieces(answer.refusal)
        yield {"type": "text", "text": ""}, [({"type": "text_delta", "text": PLACEHOLDER}, parts)]
    for number, call in enumerate(answer.tool_calls):
        delta = {"type": "input_json_delta", "partial_json": PLACEHOLDER}
        yield _tool(call, identity, number, {}), [(delta, iter(("", *pieces(call.arguments))))]


def complete_response(answer: Answer, request: SimulatedRequest, identity: AnswerIdentity) -> Json:
    """Return the answer as one body."""
    content: list[Json] = []
    if answer.reasoning:
        content.append({"type": "thinking", "thinking": answer.reasoning, "signature": _SIGNATURE})
    if answer.text or answer.tokens or answer.refusal:
        content.append({"type": "text", "text": answer.text_of(0) or answer.refusal})
    for number, call in enumerate(answer.tool_calls):
        content.append(_tool(call, identity, number, call.parsed_arguments()))
    return _message(request, identity, content, stop_reason(answer), _usage(request, answer.output_tokens()))


def stop_reason(answer: Answer) -> str:
    """Return the stop reason in this dialect."""
    if answer.refusal or answer.stop == "content_filter":
        return "refusal"
    if answer.stop == "length":
        return "max_tokens"
    return "tool_use" if answer.tool_calls else "end_turn"


def _event(kind: str, **fields: Any) -> bytes:
    return block({"type": kind, **fields}, kind)


def _message(
    request: SimulatedRequest, identity: AnswerIdentity, content: list[Json], reason: str | None, usage: Json
) -> Json:
    return {
        "model": request.model,
        "id": f"msg_{identity.digits}",
        "type": "message",
        "role": "assistant",
        "content": content,
        "stop_reason": reason,
        "stop_sequence": None,
        "stop_details": None,
        "usage": usage,
    }


def _usage(request: SimulatedRequest, output: int) -> Json:
    return {
        "input_tokens": prompt_tokens(request),
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
        "output_tokens": output,
        "service_tier": "standard",
    }


def _tool(call: SimulatedToolCall, identity: AnswerIdentity, number: int, arguments: Any) -> Json:
    return {"type": "tool_use", "id": f"toolu_{identity.digits}{number}", "name": call.name, "input": arguments}


def error(status: int, error_spec: ErrorSpec, identity: AnswerIdentity) -> Json:
    """Return `{"type": "error", "error": {type, message}, "request_id"}`, by default with the provider's text."""
    kind = (
        error_spec.type
        or error_spec.code
        or _TYPES.get(status, "invalid_request_error" if status < 500 else "api_error")
    )
    message = error_spec.message or _MESSAGES.get(
        status, "Internal server error" if status >= 500 else "Invalid request"
    )
    return {"type": "error", "error": {"type": kind, "message": message}, "request_id": f"req_{identity.digits}"}


def in_band(error_spec: ErrorSpec, _number: int, identity: AnswerIdentity) -> bytes:
    """Return an `error` event, by default the error for an overload."""
    return block(error(529, error_spec, identity), "error")


def role(chunk: bytes) -> Role:
    """Return the role of a block."""
    found = _TYPE.search(chunk)
    kind = found.group(1) if found else b""
    if kind == b"content_block_delta":
        return "content"
    return "end" if kind == b"message_stop" else "finish" if kind == b"message_delta" else "lifecycle"


def empty_event(_identity: AnswerIdentity) -> bytes:
    """Return a ping, the only event of this dialect without content."""
    return _PING


def headers(identity: AnswerIdentity) -> Json:
    """Return the headers of a response, as api.anthropic.com sends them."""
    return {
        "request-id": f"req_{identity.digits}",
        "anthropic-organization-id": "00000000-0000-4000-8000-000000000000",
        "anthropic-ratelimit-requests-limit": "4000",
        "anthropic-ratelimit-requests-remaining": "3999",
        "anthropic-ratelimit-requests-reset": "2026-01-01T00:00:00Z",
    }


MESSAGES = Dialect(
    name="messages",
    read_request=read_request,
    events=lambda answer, request, identity: filter(None, events(answer, request, identity)),
    complete=complete_response,
    error=error,
    in_band=in_band,
    failed=in_band,
    role=role,
    idle=_PING,
    empty_event=empty_event,
    headers=headers,
)
