"""Simulate OpenAI Responses."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ..answers import Answer, count, pieces
from ..conversation import conversations, text_in
from ..logprobs import entry
from ..media import picture
from ..schema_example import example
from ..sse_writer import PLACEHOLDER, block, dumps, quoted, template
from . import openai_server
from .chat_server import forced_tool
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
    top_logprobs,
    whole_number,
)

_TYPE = re.compile(rb'"type":\s*"((?:response\.|error)[a-z_.]*)"')
_NUMBER = re.compile(rb'("sequence_number":\s*)\d+')
_DRAWING = "image_generation"
_MAX_PREVIEWS = 3
"""Maximum number of previews of an image, as in the OpenAI API."""
_LOGPROBS = "message.output_text.logprobs"
_END = (b"response.completed", b"response.incomplete", b"response.failed", b"error")


def read_request(body: Mapping[str, Any]) -> SimulatedRequest:
    """Read a request body."""
    required(body, "model")
    draws = _is_drawing(body.get("tool_choice"))
    response_format = (body.get("text") or {}).get("format") or {}
    return SimulatedRequest(
        model=str(body["model"]),
        stream=bool(body.get("stream")),
        prompt="\n".join(filter(None, (text_in(body.get("instructions")), text_in(body.get("input"))))),
        schema=dumps(example(response_format["schema"])) if response_format.get("schema") else None,
        forced_tool=None if draws else forced_tool(body.get("tools"), body.get("tool_choice")),
        store=body.get("store") is not False,
        background=bool(body.get("background")),
        conversations=conversations(body.get("input"), body.get("instructions")),
        logprobs=top_logprobs(body, "top_logprobs") if _LOGPROBS in (body.get("include") or []) else None,
        max_tokens=token_limit(body, "max_output_tokens"),
        draws=draws,
        previews=_previews(body.get("tools")),
        previous=body.get("previous_response_id"),
    )


def _is_drawing(choice: Any) -> bool:
    return isinstance(choice, Mapping) and choice.get("type") == _DRAWING


def _previews(tools: Any) -> int:
    tool = next((each for each in tools or () if isinstance(each, Mapping) and each.get("type") == _DRAWING), {})
    return whole_number(tool, "partial_images", 0, _MAX_PREVIEWS) if tool.get("partial_images") else 0


def events(answer: Answer, request: SimulatedRequest, identity: AnswerIdentity) -> Iterator[bytes]:
    """Yield the answer as numbered events. `sequence_number` counts from 0 without a gap."""
    return (b"%b%d}\n\n" % (chunk, number) for number, chunk in enumerate(_unnumbered(answer, request, identity)))


def _unnumbered(answer: Answer, request: SimulatedRequest, identity: AnswerIdentity) -> Iterator[bytes]:
    """Yield every event without its sequence number, its last field, and without what follows the number."""
    yield _event("response.created", response=_response(request, identity, "in_progress", [], None))
    yield _event("response.in_progress", response=_response(request, identity, "in_progress", [], None))
    items = _items(answer, request, identity)
    for index, item in enumerate(items):
        yield _event("response.output_item.added", item=_empty_item(item), output_index=index)
        yield from _contents(item, index, answer, request)
        yield _event("response.output_item.done", item=item, output_index=index)
    status, _ = _status_and_details(answer)
    yield _event(f"response.{status}", response=complete_response(answer, request, identity, items))


def _contents(item: Json, index: int, answer: Answer, request: SimulatedRequest) -> Iterator[bytes]:
    if item["type"] == "image_generation_call":
        yield from _drawing({"item_id": item["id"], "output_index": index}, request.previews)
    elif item["type"] == "function_call":
        place = {"item_id": item["id"], "output_index": index}
        yield from _deltas("response.function_call_arguments", pieces(item["arguments"]), place)
        yield _event("response.function_call_arguments.done", **place, arguments=item["arguments"])
    elif item["type"] == "reasoning":
        for number, part in enumerate(item["summary"]):
            place = {"item_id": item["id"], "output_index": index, "summary_index": number}
            yield _event("response.reasoning_summary_part.added", **place, part=part | {"text": ""})
            yield from _deltas("response.reasoning_summary_text", pieces(part["text"]), place)
            yield _event("response.reasoning_summary_text.done", **place, text=part["text"])
            yield _event("response.reasoning_summary_part.done", **place, part=part)
    else:
        for number, part in enumerate(item["content"]):
            yield from _part(part, {"content_index": number, "item_id": item["id"], "output_index": index}, answer)


def _drawing(place: Json, previews: int) -> Iterator[bytes]:
    yield _event("response.image_generation_call.in_progress", **place)
    yield _event("response.image_generation_call.generating", **place)
    for number in range(previews):
        # 100 and up: pictures other than those of `_items`, as a preview differs from its image
        preview = {"partial_image_index": number, "partial_image_b64": picture(100 + number), "output_format": "png"}
        yield _event("response.image_generation_call.partial_image", **place, **preview)
    yield _event("response.image_generation_call.completed", **place)


def _part(part: Json, place: Json, answer: Answer) -> Iterator[bytes]:
    if part["type"] == "refusal":
        yield _event("response.content_part.added", **place, part=part | {"refusal": ""})
        yield from _deltas("response.refusal", pieces(part["refusal"]), place)
        yield _event("response.refusal.done", **place, refusal=part["refusal"])
    else:
        yield _event("response.content_part.added", **place, part=part | {"text": "", "logprobs": []})
        if part["logprobs"]:
            for each in part["logprobs"]:
                yield _event("response.output_text.delta", **place, delta=each["token"], logprobs=[each])
        else:
            yield from _deltas("response.output_text", answer.pieces_of(0), place | {"logprobs": []})
        yield _event("response.output_text.done", **place, logprobs=part["logprobs"], text=part["text"])
    yield _event("response.content_part.done", **place, part=part)


def _deltas(kind: str, parts: Iterator[str], place: Json) -> Iterator[bytes]:
    """Yield the delta events of one text."""
    data = {
        "type": f"{kind}.delta",
        **place,
        "delta": PLACEHOLDER,
        "obfuscation": "k3Zq",  # OpenAI adds random characters, which hide the length of the delta
        "sequence_number": PLACEHOLDER,
    }
    head, middle, _ = template(data, data["type"])
    return (head + quoted(part) + middle for part in parts)


def _event(kind: str, **fields: Any) -> bytes:
    return template({"type": kind, **fields, "sequence_number": PLACEHOLDER}, kind)[0]


def _items(answer: Answer, request: SimulatedRequest, identity: AnswerIdentity) -> list[Json]:
    """Return the output items: reasoning, images, message, function calls."""
    items: list[Json] = []
    if answer.reasoning:
        summary = [{"type": "summary_text", "text": answer.reasoning}]
        items.append({"id": f"rs_{identity.digits}", "type": "reasoning", "summary": summary})
    items += [
        {
            "id": f"ig_{identity.digits}{number}",
            "type": "image_generation_call",
            "status": "completed",
            "result": picture(number),
            "output_format": "png",
        }
        for number in range(answer.images)
    ]
    text = answer.text_of(0)
    content: list[Json] = []
    if text:
        top = request.logprobs
        logprobs = [] if top is None else [entry(token, top) for token in answer.pieces_of(0)]
        content.append({"type": "output_text", "annotations": [], "logprobs": logprobs, "text": text})
    if answer.refusal:
        content.append({"type": "refusal", "refusal": answer.refusal})
    if content:
        message = {"type": "message", "status": "completed", "content": content, "role": "assistant"}
        items.append({"id": f"msg_{identity.digits}"} | message)
    for number, call in enumerate(answer.tool_calls):
        items.append(
            {
                "id": f"fc_{identity.digits}{number}",
                "type": "function_call",
                "status": "completed",
                "arguments": call.arguments,
                "call_id": f"call_{identity.digits}{number}",
                "name": call.name,
            }
        )
    return items


def _empty_item(item: Json) -> Json:
    """Return an item without content, as `response.output_item.added` states it."""
    empty: Json = {"summary": [], "content": [], "arguments": "", "status": "in_progress", "result": None}
    return item | {key: value for key, value in empty.items() if key in item}


def complete_response(
    answer: Answer, request: SimulatedRequest, identity: AnswerIdentity, items: list[Json] | None = None
) -> Json:
    """Return the answer as one body."""
    status, _ = _status_and_details(answer)
    output, reasoning = answer.output_tokens(), count(answer.reasoning)
    usage = {
        "input_tokens": prompt_tokens(request),
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": output,
        "output_tokens_details": {"reasoning_tokens": reasoning},
        "total_tokens": prompt_tokens(request) + output,
    }
    response = _response(
        request, identity, status, _items(answer, request, identity) if items is None else items, usage
    )
    return response | {"incomplete_details": _status_and_details(answer)[1]}


def _status_and_details(answer: Answer) -> tuple[str, Json | None]:
    if answer.stop == "stop":
        return "completed", None
    reason = "max_output_tokens" if answer.stop == "length" else "content_filter"
    return "incomplete", {"reason": reason}


def _response(
    request: SimulatedRequest, identity: AnswerIdentity, status: str, output: list[Json], usage: Json | None
) -> Json:
    return {
        "id": f"resp_{identity.digits}",
        "object": "response",
        "created_at": identity.created,
        "status": status,
        "background": request.background,
        "completed_at": identity.created + 1 if status == "completed" else None,
        "error": None,
        "frequency_penalty": 0.0,
        "incomplete_details": None,
        "instructions": None,
        "max_output_tokens": request.max_tokens,
        "max_tool_calls": None,
        "model": request.model,
        "output": output,
        "parallel_tool_calls": True,
        "presence_penalty": 0.0,
        "previous_response_id": request.previous,
        "prompt_cache_key": None,
        "prompt_cache_retention": None,
        "reasoning": {"effort": None, "summary": None},
        "safety_identifier": None,
        "service_tier": "default",
        "store": request.store,
        "temperature": 1.0,
        "text": {"format": {"type": "text"}, "verbosity": "medium"},
        "tool_choice": "auto",
        "tools": [],
        "top_logprobs": request.logprobs or 0,
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": usage,
        "user": None,
        "metadata": {},
    }


def in_band(error_spec: ErrorSpec, number: int, _identity: AnswerIdentity) -> bytes:
    """Return an `error` event."""
    fields = {
        "code": error_spec.code or error_spec.type or "server_error",
        "message": error_spec.message or openai_server.SERVER_ERROR,
        "param": None,
    }
    return block({"type": "error", **fields, "sequence_number": number}, "error")


def failed(error_spec: ErrorSpec, number: int, identity: AnswerIdentity) -> bytes:
    """Return a `response.failed` event."""
    response = _response(SimulatedRequest(model="simulated"), identity, "failed", [], None)
    error = {"code": error_spec.code or "server_error", "message": error_spec.message or openai_server.SERVER_ERROR}
    data = {"type": "response.failed", "response": response | {"error": error}, "sequence_number": number}
    return block(data, "response.failed")


def renumber(chunk: bytes, number: int) -> bytes:
    """Return the block with another `sequence_number`."""
    return _NUMBER.sub(rb"\g<1>%d" % number, chunk)


def role(chunk: bytes) -> Role:
    """Return the role of a block."""
    found = _TYPE.search(chunk)
    kind = found.group(1) if found else b""
    if kind in _END:
        return "end"
    return "content" if kind.endswith((b".delta", b".partial_image")) else "lifecycle"


def empty_event(identity: AnswerIdentity) -> bytes:
    """Return another `response.in_progress`."""
    response = _response(SimulatedRequest(model="simulated"), identity, "in_progress", [], None)
    return block({"type": "response.in_progress", "response": response, "sequence_number": 0}, "response.in_progress")


RESPONSES = Dialect(
    name="responses",
    read_request=read_request,
    events=events,
    complete=complete_response,
    error=openai_server.error,
    in_band=in_band,
    failed=failed,
    role=role,
    idle=b": PROCESSING\n\n",
    empty_event=empty_event,
    headers=openai_server.headers,
)
