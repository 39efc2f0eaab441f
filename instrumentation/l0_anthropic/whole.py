"""Facts and text of messages that came in one piece."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from l0.values.events import Facts
from l0.wire.reading import count, total


def whole(answer: Mapping[str, Any]) -> tuple[Facts | None, str]:
    """From the JSON of a message; nothing where it has another shape."""
    try:
        blocks = answer.get("content") or []
        parts = [block.get("text") or "" for block in blocks if block.get("type") == "text"]
        reason = answer.get("stop_reason") or "error"
        found = message_facts(answer.get("id"), answer.get("model"), answer.get("usage") or {}, reason)
        return replace(found, other=len(blocks) > len(parts)), "".join(parts)
    except (AttributeError, TypeError):
        return None, ""


def message_facts(
    response_id: str | None, model: str | None, usage: Mapping[str, Any], reason: str, oddities: tuple[str, ...] = ()
) -> Facts:
    """Facts of a message, whole or streamed. ``input_tokens`` of the conventions includes the cached parts."""
    read, written = count(usage.get("cache_read_input_tokens")), count(usage.get("cache_creation_input_tokens"))
    return Facts(
        response_id=response_id,
        model=model,
        finish_reasons=(reason,),
        input_tokens=total(count(usage.get("input_tokens")), read, written),
        output_tokens=count(usage.get("output_tokens")),
        cache_read_tokens=read,
        cache_write_tokens=written,
        reasoning_tokens=count((usage.get("output_tokens_details") or {}).get("thinking_tokens")),
        oddities=oddities,
        extra={"anthropic.response.service_tier": tier} if isinstance(tier := usage.get("service_tier"), str) else {},
    )
