"""What the decoders share."""

from __future__ import annotations

import json
from typing import Any

from l0.model.call_events import ResponseMetadata
from l0.model.tolerant_reading import count_of, text_of

from ..stream_events import Event, EventType, ToolCall


def said(kind: EventType, text: object) -> list[Event]:
    """An event of a piece of text; none if there is no text."""
    return [Event(kind, text)] if type(text) is str and text else []


def tool_call(id: object, name: object, raw: object) -> Event:  # noqa: A002 - the providers' word
    """A tool call, now that its arguments are whole. Never repaired, never completed."""
    written = text_of(raw) or ""
    try:
        arguments = json.loads(written) if written else {}
    except (ValueError, RecursionError):
        arguments = None
    call = ToolCall(id=text_of(id) or "", name=text_of(name) or "", arguments=arguments, raw=written)
    return Event(EventType.TOOL_CALL, "", call)


def kind_of(thing: object) -> str | None:
    """The ``type`` of an SDK's object, if it has one that is text."""
    return text_of(getattr(thing, "type", None))


def facts(
    response_id: Any, model: Any, reasons: tuple[str, ...], usage: Any, names: tuple[str, str]
) -> ResponseMetadata:
    """Facts from what the provider's objects carry; ``names``: of the counts of input and output in ``usage``."""
    return ResponseMetadata(
        response_id=text_of(response_id),
        model=text_of(model),
        finish_reasons=reasons,
        input_tokens=count_of(getattr(usage, names[0], None)),
        output_tokens=count_of(getattr(usage, names[1], None)),
    )
