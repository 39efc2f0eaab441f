"""Read parts of messages that several dialects have: text of any kind, and tool calls. Parts are JSON or SDK
objects."""

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
"""By type of a text part: its kind in the OpenTelemetry conventions, and the name of the field with the text."""

_DELTAS: dict[str, Callable[[str], Delta]] = {
    "text": TextDelta,
    "reasoning": ReasoningDelta,
    "refusal": lambda text: RefusalDelta(text, complete=True),
}

_FREE_TEXT_CALLS = ("custom", "custom_tool_call")
"""Types of tool calls whose input is free text, not JSON."""


class CalledTool(NamedTuple):
    """A tool call. ``arguments``: a text or decoded JSON, depending on the dialect; ``None`` if there are none."""

    id: Any
    name: Any
    arguments: Any


def part_deltas(part: Any) -> list[Delta]:
    """Return the delta of a part that is text of any kind, in a list; an empty list for empty text or another part."""
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
    """Return the tool call in a part. Its arguments are a text: decoded ones become JSON, missing ones an empty
    text."""
    call = called_tool(part)
    arguments = "" if call.arguments is None else call.arguments
    arguments_text = arguments if isinstance(arguments, str) else json.dumps(arguments)
    free_text = field(part, "type") in _FREE_TEXT_CALLS or field(part, "custom") is not None
    return ToolCallDelta(place, text_of(call.id) or "", text_of(call.name) or "", arguments_text, choice, free_text)
