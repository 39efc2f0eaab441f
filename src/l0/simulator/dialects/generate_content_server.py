"""Simulate Gemini's `generateContent`, as the Gemini API and Vertex AI serve it."""

import re
from collections.abc import Iterator, Mapping
from itertools import zip_longest
from typing import Any

from ..answers import Answer, SimulatedToolCall, count, pieces
from ..continuation import prefilled, text_to_continue
from ..conversation import conversations, text_in
from ..schema_example import example
from ..sse_writer import PLACEHOLDER, block, dumps, quoted, template
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
    whole_number,
)

_CANDIDATES = 8
"""Maximum number of candidates of one request, as in the Gemini API."""
_STATUSES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    408: "DEADLINE_EXCEEDED",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    501: "UNIMPLEMENTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
_MESSAGES = {
    401: "API key not valid. Please pass a valid API key.",
    404: "The model is not found for API version v1beta, or is not supported for generateContent.",
    429: "You exceeded your current quota, please check your plan and billing details.",
    503: "The model is overloaded. Please try again later.",
}
_INTERNAL = "An internal error has occurred. Please retry."
_PATH = re.compile(r"/([^/:]+):(streamGenerateContent|generateContent)\Z")
_FINISH = re.compile(rb'"finishReason":\s*"')
_CONTENT = re.compile(rb'"text":\s*"[^"]|"(?:functionCall|inlineData)":')
_SIGNATURE = "c2ltdWxhdGVkLXNpZ25hdHVyZQ=="


def path_fields(path: str) -> Json:
    """Return the fields that the path of a request states: ``model`` and ``stream``."""
    found = _PATH.search(path)
    return {} if found is None else {"model": found[1], "stream": found[2] == "streamGenerateContent"}


def read_request(body: Mapping[str, Any]) -> SimulatedRequest:
    """Read a request body, to which the fields of its path were added."""
    required(body, "model", "contents")
    settings = body.get("generationConfig") or {}
    messages = [_message(content) for content in body["contents"]]
    system = text_in((body.get("systemInstruction") or {}).get("parts"))
    return SimulatedRequest(
        model=str(body["model"]),
        stream=bool(body.get("stream")),
        prompt="\n".join(filter(None, (system, text_in(messages)))),
        choices=whole_number(settings, "candidateCount", 1, _CANDIDATES),
        schema=_schema(settings),
        forced_tool=_forced_tool(
            body.get("tools") or [], (body.get("toolConfig") or {}).get("functionCallingConfig") or {}
        ),
        prefix=prefilled(messages) or text_to_continue(messages),
        conversations=conversations(messages, system),
        max_tokens=token_limit(settings, "maxOutputTokens"),
    )


def _message(content: Mapping[str, Any]) -> Json:
    """Return one item of `contents` in the form of chat and messages, which `conversations` reads."""
    parts = [_part(part) for part in content.get("parts") or ()]
    return {"role": "assistant" if content.get("role") == "model" else "user", "content": parts}


def _part(part: Mapping[str, Any]) -> Json:
    result = part.get("functionResponse")
    if result is not None:
        return {"type": "tool_result", "content": dumps(result.get("response"))}
    return {"type": "text", "text": part.get("text") or ""}


def _schema(settings: Mapping[str, Any]) -> str | None:
    schema = settings.get("responseJsonSchema") or settings.get("responseSchema")
    return dumps(example(_lower_types(schema))) if schema else None


def _lower_types(schema: Any) -> Any:
    """Return a schema with the lower-case type names of JSON Schema, which Gemini's own form writes in capitals."""
    if isinstance(schema, list):
        return [_lower_types(item) for item in schema]
    if not isinstance(schema, Mapping):
        return schema
    lower = {name: _lower_types(value) for name, value in schema.items()}
    return lower | {"type": lower["type"].lower()} if isinstance(lower.get("type"), str) else lower


def _forced_tool(tools: list[Json], calling: Mapping[str, Any]) -> SimulatedToolCall | None:
    if calling.get("mode") != "ANY":
        return None
    allowed = calling.get("allowedFunctionNames")
    for function in (function for tool in tools for function in tool.get("functionDeclarations") or ()):
        if not allowed or function.get("name") in allowed:
            schema = function.get("parametersJsonSchema") or function.get("parameters") or {"type": "object"}
            return SimulatedToolCall(name=str(function["name"]), arguments=dumps(example(_lower_types(schema))))
    return None


def events(answer: Answer, request: SimulatedRequest, identity: AnswerIdentity) -> Iterator[bytes]:
    """Yield one chunk per piece of text, each function call as one part, and the finish reasons at the end."""
    usage = _usage(answer, request)
    if answer.reasoning:
        yield from _texts(pieces(answer.reasoning), {"thought": True}, 0, request, identity)
    if answer.text or answer.tokens:
        texts = [_texts(answer.pieces_of(index), {}, index, request, identity) for index in range(request.choices)]
        yield from (chunk for chunks in zip_longest(*texts) for chunk in chunks if chunk is not None)
    if answer.refusal:
        yield from _texts(pieces(answer.refusal), {}, 0, request, identity)
    for call in answer.tool_calls:
        yield _block({**_chunk([_candidate([_call(call)], 0)], request, identity), "usageMetadata": usage})
    for index in range(request.choices):
        ended = _candidate([{"text": ""}], index) | {"finishReason": finish_reason(answer)}
        yield _block({**_chunk([ended], request, identity), "usageMetadata": usage})


def _texts(
    texts: Iterator[str], marks: Json, index: int, request: SimulatedRequest, identity: AnswerIdentity
) -> Iterator[bytes]:
    head, tail = template(_chunk([_candidate([{"text": PLACEHOLDER, **marks}], index)], request, identity))
    return (_crlf(head + quoted(text) + tail) for text in texts)


def complete_response(answer: Answer, request: SimulatedRequest, identity: AnswerIdentity) -> Json:
    """Return the answer as one body."""
    candidates = []
    for index in range(request.choices):
        parts: list[Json] = [{"text": answer.reasoning, "thought": True}] if answer.reasoning else []
        text = answer.text_of(index) or answer.refusal
        parts += (
            [{"text": text, "thoughtSignature": _SIGNATURE} if answer.reasoning else {"text": text}] if text else []
        )
        parts += [_call(call) for call in answer.tool_calls]
        candidates.append(_candidate(parts, index) | {"finishReason": finish_reason(answer)})
    return {**_chunk(candidates, request, identity), "usageMetadata": _usage(answer, request)}


def finish_reason(answer: Answer) -> str:
    """Return the finish reason in this dialect."""
    if answer.refusal or answer.stop == "content_filter":
        return "SAFETY"
    return "MAX_TOKENS" if answer.stop == "length" else "STOP"


def _chunk(candidates: list[Json], request: SimulatedRequest, identity: AnswerIdentity) -> Json:
    return {"candidates": candidates, "modelVersion": request.model, "responseId": identity.digits}


def _candidate(parts: list[Json], index: int) -> Json:
    return {"content": {"parts": parts, "role": "model"}, "index": index}


def _call(call: SimulatedToolCall) -> Json:
    return {"functionCall": {"name": call.name, "args": call.parsed_arguments()}}


def _usage(answer: Answer, request: SimulatedRequest) -> Json:
    prompt, output = prompt_tokens(request), answer.output_tokens(request.choices)
    thoughts = count(answer.reasoning) * request.choices
    return {
        "promptTokenCount": prompt,
        "candidatesTokenCount": output - thoughts,
        "totalTokenCount": prompt + output,
        **({"thoughtsTokenCount": thoughts} if thoughts else {}),
    }


def _block(value: Json) -> bytes:
    return _crlf(block(value))


def _crlf(data: bytes) -> bytes:
    """Return a block with CRLF, the line end of this provider."""
    return data.replace(b"\n", b"\r\n")


def error(status: int, error_spec: ErrorSpec, _identity: AnswerIdentity) -> Json:
    """Return `{"error": {code, message, status}}`, by default with the provider's text."""
    default_status = _STATUSES.get(status, "INVALID_ARGUMENT" if status < 500 else "INTERNAL")
    message = error_spec.message or _MESSAGES.get(
        status, _INTERNAL if status >= 500 else "Request contains an invalid argument."
    )
    return {"error": {"code": status, "message": message, "status": error_spec.code or default_status}}


def in_band(error_spec: ErrorSpec, _number: int, identity: AnswerIdentity) -> bytes:
    """Return an error in place of a chunk, by default the error for an overloaded model."""
    return _block(error(503, error_spec, identity))


def role(chunk: bytes) -> Role:
    """Return the role of a block. Never `end`: this dialect has no terminal event."""
    if _FINISH.search(chunk):
        return "finish"
    return "content" if _CONTENT.search(chunk) else "lifecycle"


def empty_event(identity: AnswerIdentity) -> bytes:
    """Return a chunk without content."""
    return _block({"candidates": [_candidate([{"text": ""}], 0)], "responseId": identity.digits})


def headers(_identity: AnswerIdentity) -> Json:
    """Return the headers of a response, as generativelanguage.googleapis.com sends them."""
    return {"vary": "Origin, X-Origin, Referer", "x-content-type-options": "nosniff"}


GENERATE_CONTENT = Dialect(
    name="generate_content",
    read_request=read_request,
    events=events,
    complete=complete_response,
    error=error,
    in_band=in_band,
    failed=in_band,
    role=role,
    idle=_crlf(block({"usageMetadata": {}})),
    empty_event=empty_event,
    headers=headers,
    path_fields=path_fields,
)
