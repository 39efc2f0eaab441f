"""Facts and text of messages that came in one piece."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from l0.model.call_events import ResponseMetadata
from l0.model.tolerant_reading import count_of, object_of, objects_in, text_of

from .base_reader import total


def complete_answer(answer: Mapping[str, Any]) -> tuple[ResponseMetadata | None, str]:
    """From the JSON of a message; what has another shape is left out."""
    blocks = list(objects_in(answer.get("content")))
    parts = [text_of(block.get("text")) or "" for block in blocks if block.get("type") == "text"]
    reason = text_of(answer.get("stop_reason")) or "error"
    usage = object_of(answer.get("usage"))
    found = message_facts(text_of(answer.get("id")), text_of(answer.get("model")), usage, reason)
    return replace(found, other=len(blocks) > len(parts)), "".join(parts)


def message_facts(
    response_id: str | None, model: str | None, usage: Mapping[str, Any], reason: str, anomalies: tuple[str, ...] = ()
) -> ResponseMetadata:
    """Facts of a message, whole or streamed. ``input_tokens`` of the conventions includes the cached parts."""
    read, written = count_of(usage.get("cache_read_input_tokens")), count_of(usage.get("cache_creation_input_tokens"))
    return ResponseMetadata(
        response_id=response_id,
        model=model,
        finish_reasons=(reason,),
        input_tokens=total(count_of(usage.get("input_tokens")), read, written),
        output_tokens=count_of(usage.get("output_tokens")),
        cache_read_tokens=read,
        cache_write_tokens=written,
        reasoning_tokens=count_of(object_of(usage.get("output_tokens_details")).get("thinking_tokens")),
        anomalies=anomalies,
        extra={"anthropic.response.service_tier": tier} if isinstance(tier := usage.get("service_tier"), str) else {},
    )
