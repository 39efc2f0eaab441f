"""Facts and text of answers that came in one piece."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from l0.model.call_events import ResponseMetadata
from l0.model.tolerant_reading import count_of, items_in, object_of, objects_in, text_of

EXTRAS = ("service_tier", "system_fingerprint")
"""Fields of an answer, of a chunk as well, that are told as they are."""


def complete_answer(dialect: str, answer: Mapping[str, Any]) -> tuple[ResponseMetadata | None, str]:
    """From the JSON of a whole answer; what has another shape than the dialect's is left out."""
    return _response(answer) if dialect == "responses" else _completion(answer)


def _completion(answer: Mapping[str, Any]) -> tuple[ResponseMetadata, str]:
    """A chat or legacy completion, or embeddings."""
    choices = [object_of(choice) for choice in items_in(answer.get("choices"))]
    first = choices[0] if choices else object_of(None)
    message = object_of(first.get("message"))
    add_text = message.get("content") or first.get("text") or ""
    other = any(value for key, value in message.items() if key not in ("role", "content")) or text_of(add_text) is None
    reasons = tuple(text_of(choice.get("finish_reason")) or "error" for choice in choices)
    metadata = completion_facts(answer, object_of(answer.get("usage")), reasons)
    return replace(metadata, other=other), text_of(add_text) or ""


def completion_facts(answer: Mapping[str, Any], usage: Mapping[str, Any], reasons: tuple[str, ...]) -> ResponseMetadata:
    """Facts of a chat or legacy completion, whole or streamed."""
    return ResponseMetadata(
        response_id=text_of(answer.get("id")),
        model=text_of(answer.get("model")),
        finish_reasons=reasons,
        input_tokens=count_of(usage.get("prompt_tokens")),
        output_tokens=count_of(usage.get("completion_tokens")),
        cache_read_tokens=count_of(object_of(usage.get("prompt_tokens_details")).get("cached_tokens")),
        reasoning_tokens=count_of(object_of(usage.get("completion_tokens_details")).get("reasoning_tokens")),
        extra=_extra(answer),
    )


def _response(answer: Mapping[str, Any]) -> tuple[ResponseMetadata, str]:
    parts = [
        text_of(part.get("text")) or ""
        for item in objects_in(answer.get("output"))
        if item.get("type") == "message"
        for part in objects_in(item.get("content"))
        if part.get("type") == "output_text"
    ]
    reason = text_of(answer.get("status")) or "error"
    found = response_facts(answer, object_of(answer.get("usage")), (reason,))
    return replace(found, other=any_other(answer)), "".join(parts)


def any_other(answer: object) -> bool:
    """Whether a response holds something besides text."""
    output = answer.get("output") if isinstance(answer, Mapping) else None
    return isinstance(output, list) and any(map(holds_other, output))


def holds_other(item: object) -> bool:
    """Whether an item of a response holds something besides text: every tool's does, whatever its type."""
    if not isinstance(item, Mapping):
        return False
    if item.get("type") == "reasoning":
        return any(item.get(name) for name in ("summary", "content", "encrypted_content"))
    if item.get("type") != "message":
        return True
    parts = item.get("content")
    return isinstance(parts, list) and any(
        isinstance(part, Mapping) and part.get("type") != "output_text" and any(map(part.get, part.keys() - {"type"}))
        for part in parts
    )


def response_facts(answer: Mapping[str, Any], usage: Mapping[str, Any], reasons: tuple[str, ...]) -> ResponseMetadata:
    """Facts of a response, whole or streamed."""
    return ResponseMetadata(
        response_id=text_of(answer.get("id")),
        model=text_of(answer.get("model")),
        finish_reasons=reasons,
        input_tokens=count_of(usage.get("input_tokens")),
        output_tokens=count_of(usage.get("output_tokens")),
        cache_read_tokens=count_of(object_of(usage.get("input_tokens_details")).get("cached_tokens")),
        reasoning_tokens=count_of(object_of(usage.get("output_tokens_details")).get("reasoning_tokens")),
        extra=_extra(answer),
    )


def _extra(answer: Mapping[str, Any]) -> dict[str, str]:
    """What the conventions for openai alone have names for."""
    told = {name: answer.get(name) for name in EXTRAS}
    return {f"openai.response.{name}": value for name, value in told.items() if isinstance(value, str)}
