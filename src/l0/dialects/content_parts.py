"""Parts of messages that several dialects share: text of some kind, and calls of tools. JSON or objects of an SDK."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NamedTuple

from l0.model.tolerant_reading import text_of

from .deltas import Delta, ReasoningDelta, RefusalDelta, TextDelta, ToolCallDelta, field

TEXT_PARTS = {
    "text": ("text", "text"),
    "input_text": ("text", "text"),
    "output_text": ("text", "text"),
    "thinking": ("reasoning", "thinking"),
    "refusal": ("refusal", "refusal"),
}
"""Types of parts that are plain text: the name of their kind in the OpenTelemetry conventions, and the text's field."""

_DELTAS: dict[str, Callable[[str], Delta]] = {
    "text": TextDelta,
    "reasoning": ReasoningDelta,
    "refusal": lambda text: RefusalDelta(text, complete=True),
}


_FREE_TEXT_CALLS = ("custom", "custom_tool_call")
"""Types of calls of a tool whose input is no JSON."""


class CalledTool(NamedTuple):
    """A call of a tool. ``arguments``: text or decoded JSON, as the dialect writes them; ``None`` if there are none."""

    id: Any
    name: Any
    arguments: Any


def part_deltas(part: Any) -> list[Delta]:
    """Return what a part states if it is text of some kind; nothing for empty text and for any other part."""
    kind, name = TEXT_PARTS.get(text_of(field(part, "type")) or "", (None, ""))
    text = text_of(field(part, name)) if kind is not None else None
    return [_DELTAS[kind](text)] if kind is not None and text else []


def called_tool(part: Any) -> CalledTool:
    """Read a tool call of chat (``function``, ``custom``), Responses (an item) or messages (a block)."""
    call = field(part, "function") or field(part, "custom") or part
    arguments = field(call, "arguments")
    return CalledTool(
        field(part, "call_id") or field(part, "tool_use_id") or field(part, "id"),
        field(call, "name"),
        field(call, "input") if arguments is None else arguments,
    )


def tool_call_delta(part: Any, place: Any, *, choice: int = 0) -> ToolCallDelta:
    """Return the tool call in a part. Arguments that are decoded become JSON again; none become no text."""
    call = called_tool(part)
    arguments = "" if call.arguments is None else call.arguments
    written = arguments if isinstance(arguments, str) else json.dumps(arguments)
    free_text = field(part, "type") in _FREE_TEXT_CALLS or field(part, "custom") is not None
    return ToolCallDelta(place, text_of(call.id) or "", text_of(call.name) or "", written, choice, free_text)
