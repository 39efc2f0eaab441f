"""Capture message content in the structure of the GenAI conventions' JSON schemas, with limits on its size.

Off by default. Binary data never leaves the process: its type and size replace it (`binary_content`).
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any, cast

from l0.dialects.content_parts import TEXT_PARTS, called_tool
from l0.model.call import Call
from l0.model.call_events import CallEnded

from . import binary_content, names

log = logging.getLogger(__name__)

TEXT_LIMIT = 8_192
"""Maximum characters of one text, or of one tool call's arguments."""
MESSAGE_LIMIT = 32_768
"""Maximum characters of JSON of all parts of one message."""
TOTAL_LIMIT = 65_536
"""Maximum characters of JSON of one attribute."""

_CUT = " [cut]"
Json = dict[str, Any]


class ContentMode(StrEnum):
    """The destinations of captured message content."""

    NO_CONTENT = "NO_CONTENT"
    SPAN_ONLY = "SPAN_ONLY"
    EVENT_ONLY = "EVENT_ONLY"
    SPAN_AND_EVENT = "SPAN_AND_EVENT"

    @property
    def on_span(self) -> bool:
        """Return True if content goes to span attributes, as JSON text."""
        return self in (ContentMode.SPAN_ONLY, ContentMode.SPAN_AND_EVENT)

    @property
    def on_event(self) -> bool:
        """Return True if content goes to a log event, in structured form."""
        return self in (ContentMode.EVENT_ONLY, ContentMode.SPAN_AND_EVENT)


def content_mode(switch: str | None) -> ContentMode:
    """Return the mode that the environment selects. For an unknown mode, log a warning and capture nothing."""
    if not switch or not switch.strip():
        return ContentMode.NO_CONTENT
    try:
        return ContentMode(switch.strip().upper())
    except ValueError:
        allowed = ", ".join(ContentMode)
        log.warning("%s: got %r, allowed: %s; no content is captured", names.CONTENT_SWITCH, switch, allowed)
        return ContentMode.NO_CONTENT


def of_request(call: Call) -> dict[str, list[Json]]:
    """Return the request's content by attribute name. If it is too long, keep the newest messages."""
    body = call.body
    history = body.get("messages") or body.get("input") or body.get("prompt") or body.get("contents")
    system = body.get("system") or body.get("instructions") or _parts_of(body.get("systemInstruction"))
    content = {
        names.INPUT_MESSAGES: _fit(map(_message, reversed(_items(history))), TOTAL_LIMIT)[::-1],
        names.SYSTEM_INSTRUCTIONS: _parts(system),
        names.TOOL_DEFINITIONS: _fit(map(_tool, _items(body.get("tools") or _bedrock_tools(body))), TOTAL_LIMIT),
    }
    return {name: value for name, value in content.items() if value}


def of_answer(ended: CallEnded) -> dict[str, list[Json]]:
    """Return the answer's text and tool calls by attribute name."""
    content: list[object] = [ended.text] if ended.text else []
    called = [{"type": "function_call", "name": name, "arguments": arguments} for name, arguments in ended.tool_calls]
    if not content and not called:
        return {}
    reasons = ended.metadata.finish_reasons if ended.metadata is not None else ()
    reason = reasons[0] if reasons else names.FINISH_ERROR
    return {names.OUTPUT_MESSAGES: [{"role": "assistant", "parts": _parts(content + called), "finish_reason": reason}]}


def as_json(content: Mapping[str, list[Json]]) -> dict[str, str]:
    """Return each value as JSON text, because a span attribute cannot hold nested values."""
    return {name: _dump(value) for name, value in content.items()}


def _message(item: object) -> Json:
    if not isinstance(item, Mapping):
        return {"role": "user", "parts": _parts(item)}
    role = item.get("role") or ("tool" if str(item.get("type", "")).endswith("_output") else "assistant")
    if role == "tool" and "tool_call_id" in item:
        answer = {"type": "tool_result", "tool_use_id": item["tool_call_id"], "content": item.get("content")}
        return {"role": role, "parts": _parts([answer])}
    if "role" not in item:
        return {"role": role, "parts": _parts([item])}
    calls = item.get("tool_calls")
    return {"role": str(role), "parts": _parts([*_items(item.get("content")), *_parts_of(item), *_items(calls)])}


def _bedrock_tools(body: Mapping[str, Any]) -> object:
    """Return the tools of a request to Amazon Bedrock's Converse API."""
    config = body.get("toolConfig")
    return config.get("tools") if isinstance(config, Mapping) else None


def _parts_of(content: object) -> Sequence[object]:
    """Return the parts of a Gemini ``Content``, with the types that other dialects state."""
    parts = content.get("parts") if isinstance(content, Mapping) else None
    return [_typed(part) for part in parts] if isinstance(parts, Sequence) and not isinstance(parts, str) else ()


def _typed(part: object) -> object:
    """Return a part of Gemini or of Bedrock's Converse API, which have no ``type``, in the form of another dialect."""
    if not isinstance(part, Mapping):
        return part
    match part:
        case {"functionCall": Mapping() as call}:
            return {"type": "function_call", "name": call.get("name"), "arguments": call.get("args")}
        case {"functionResponse": Mapping() as answer}:
            return {"type": "tool_result", "tool_use_id": answer.get("id"), "content": answer.get("response")}
        case {"toolUse": Mapping() as call}:
            return {
                "type": "tool_use",
                "id": call.get("toolUseId"),
                "name": call.get("name"),
                "input": call.get("input"),
            }
        case {"toolResult": Mapping() as answer}:
            return {"type": "tool_result", "tool_use_id": answer.get("toolUseId"), "content": answer.get("content")}
        case {"text": str() as text}:
            return {"type": "thinking", "thinking": text} if part.get("thought") else {"type": "text", "text": text}
        case _:
            return {"type": next(iter(part), "text")}


def _parts(content: object) -> list[Json]:
    return _fit(map(_part, _items(content)), MESSAGE_LIMIT)


def _part(item: object) -> Json:
    """Convert one message part of any dialect. Iterators are not consumed: the SDK still needs them."""
    if isinstance(item, str):
        return {"type": "text", "content": _text(item)}
    if isinstance(item, bytes | bytearray):
        return {"type": type(item).__name__, "size": len(item)}
    dump = getattr(item, "model_dump", None)
    if dump is not None:  # the SDK's own object, taken from an earlier answer
        item = dump(mode="json", warnings=False)
    if not isinstance(item, Mapping):
        return {"type": type(item).__name__}
    if "type" not in item and len(item) == 1:
        item = cast("Mapping[str, Any]", _typed(item))
    kind = str(item.get("type", "text"))
    if kind in TEXT_PARTS:
        name, key = TEXT_PARTS[kind]
        text = item.get(key, "")
        return {"type": name, "content": _text(text if isinstance(text, str) else str(binary_content.cleaned(text)))}
    match kind:
        case "function" | "custom" | "function_call" | "custom_tool_call" | "tool_use":
            return _tool_call(item)
        case kind if kind == "tool_result" or kind.endswith("_output"):
            answer = item.get("content", item.get("output"))
            return {"type": "tool_call_response", "id": called_tool(item).id, "response": _bounded(answer)}
        case "image_url" | "input_image" | "image" if (link := _image(item)) is not None:
            return link
        case _:
            return binary_content.part(kind, item) if kind in binary_content.KINDS else {"type": kind}


def _tool_call(item: Mapping[str, Any]) -> Json:
    call = called_tool(item)
    name = "" if call.name is None else str(call.name)
    return {"type": "tool_call", "id": call.id, "name": name, "arguments": _bounded(call.arguments)}


def _image(item: Mapping[str, Any]) -> Json | None:
    """Return the part of an image that is given by its URL; ``None`` for embedded data."""
    source = item.get("image_url") or item.get("source")
    url = source.get("url") if isinstance(source, Mapping) else source
    if isinstance(url, str) and url.startswith(("http://", "https://")):
        return {"type": "uri", "modality": "image", "uri": _clip(url)}
    return None


def _tool(item: object) -> Json:
    if not isinstance(item, Mapping):
        return {"type": type(item).__name__}
    function = item.get("function") or item.get("toolSpec") or item.get("systemTool")
    named = function if isinstance(function, Mapping) else item
    return {"type": str(item.get("type", "function")), "name": str(named.get("name", ""))}


def _items(value: object) -> Sequence[object]:
    if value is None or binary_content.unset(value):
        return ()
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes, bytearray)):
        return [item for item in value if not binary_content.unset(item)]
    return (value,)


def _bounded(value: object) -> Any:
    if isinstance(value, str):
        return _text(value)
    text = _dump(binary_content.cleaned(value))
    return json.loads(text) if len(text) <= TEXT_LIMIT else _clip(text)


def _text(text: str) -> str:
    return _clip(binary_content.without(text))


def _clip(text: str) -> str:
    return text if len(text) <= TEXT_LIMIT else text[: TEXT_LIMIT - len(_CUT)] + _CUT


def _fit(items: Iterable[Json], limit: int) -> list[Json]:
    """Return as many of the first items as fit into ``limit`` characters of JSON."""
    fitting: list[Json] = []
    left = limit - 2
    for item in items:
        left -= len(_dump(item)) + 2
        if left < 0:
            break
        fitting.append(item)
    return fitting


def _dump(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=lambda thing: type(thing).__name__)
