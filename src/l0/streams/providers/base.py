"""What the decoders share."""

from __future__ import annotations

import json
from typing import Any

from l0.values.events import Facts

from ..events import Event, EventType, ToolCall


def token(text: str) -> Event:
    """A piece of the answer."""
    return Event(EventType.TOKEN, text)


def tool_call(id: str, name: str, raw: str) -> Event:  # noqa: A002 - the providers' word
    """A tool call, now that its arguments are whole. Never repaired, never completed."""
    try:
        arguments = json.loads(raw) if raw else {}
    except ValueError:
        arguments = None
    return Event(EventType.TOOL_CALL, "", ToolCall(id=id, name=name, arguments=arguments, raw=raw))


def count(value: Any) -> int | None:
    """A number of tokens, or ``None`` for anything else."""
    return value if type(value) is int and value >= 0 else None


def facts(response_id: Any, model: Any, reasons: tuple[str, ...], usage: Any, names: tuple[str, str]) -> Facts:
    """Facts from what the provider's objects carry; ``names``: of the counts of input and output in ``usage``."""
    return Facts(
        response_id=response_id if isinstance(response_id, str) else None,
        model=model if isinstance(model, str) else None,
        finish_reasons=reasons,
        input_tokens=count(getattr(usage, names[0], None)),
        output_tokens=count(getattr(usage, names[1], None)),
    )
