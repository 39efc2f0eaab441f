"""Facts and text of answers that came in one piece."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from l0.values.events import Facts
from l0.wire.reading import count

EXTRAS = ("service_tier", "system_fingerprint")
"""Fields of an answer, of a chunk as well, that are told as they are."""


def whole(dialect: str, answer: Mapping[str, Any]) -> tuple[Facts | None, str]:
    """From the JSON of a whole answer; nothing where it has another shape than the dialect's."""
    try:
        if dialect == "responses":
            return _response(answer)
        return _completion(answer)
    except (AttributeError, KeyError, TypeError):
        return None, ""


def _completion(answer: Mapping[str, Any]) -> tuple[Facts, str]:
    """A chat or legacy completion, or embeddings."""
    usage = answer.get("usage") or {}
    choices = answer.get("choices") or []
    first = choices[0] if choices else {}
    text = (first.get("message") or {}).get("content") or first.get("text") or ""
    reasons = tuple(choice.get("finish_reason") or "error" for choice in choices)
    message = first.get("message") or {}
    other = any(value for key, value in message.items() if key not in ("role", "content")) or not isinstance(text, str)
    return replace(completion_facts(answer, usage, reasons), other=other), text if isinstance(text, str) else ""


def completion_facts(answer: Mapping[str, Any], usage: Mapping[str, Any], reasons: tuple[str, ...]) -> Facts:
    """Facts of a chat or legacy completion, whole or streamed."""
    return Facts(
        response_id=answer.get("id"),
        model=answer.get("model"),
        finish_reasons=reasons,
        input_tokens=count(usage.get("prompt_tokens")),
        output_tokens=count(usage.get("completion_tokens")),
        cache_read_tokens=count((usage.get("prompt_tokens_details") or {}).get("cached_tokens")),
        reasoning_tokens=count((usage.get("completion_tokens_details") or {}).get("reasoning_tokens")),
        extra=_extra(answer),
    )


def _response(answer: Mapping[str, Any]) -> tuple[Facts, str]:
    usage = answer.get("usage") or {}
    parts = [
        part.get("text") or ""
        for item in answer.get("output") or []
        if item.get("type") == "message"
        for part in item.get("content") or []
        if part.get("type") == "output_text"
    ]
    found = response_facts(answer, usage, (answer.get("status") or "error",))
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


def response_facts(answer: Mapping[str, Any], usage: Mapping[str, Any], reasons: tuple[str, ...]) -> Facts:
    """Facts of a response, whole or streamed."""
    return Facts(
        response_id=answer.get("id"),
        model=answer.get("model"),
        finish_reasons=reasons,
        input_tokens=count(usage.get("input_tokens")),
        output_tokens=count(usage.get("output_tokens")),
        cache_read_tokens=count((usage.get("input_tokens_details") or {}).get("cached_tokens")),
        reasoning_tokens=count((usage.get("output_tokens_details") or {}).get("reasoning_tokens")),
        extra=_extra(answer),
    )


def _extra(answer: Mapping[str, Any]) -> dict[str, str]:
    """What the conventions for openai alone have names for."""
    told = {name: answer.get(name) for name in EXTRAS}
    return {f"openai.response.{name}": value for name, value in told.items() if isinstance(value, str)}
