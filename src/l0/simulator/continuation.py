"""Continue an answer that broke, as providers do: after the text that the conversation already contains."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from .answers import Answer
from .faults import Fault

_CONTINUE = re.compile(r"\bcontinue\b", re.IGNORECASE)


def prefilled(messages: Any, required_key: str | None = None) -> str:
    """Return the text of a final assistant message. ``required_key``: a key that must be true in the message."""
    last = _message(messages, -1)
    is_prefilled = last.get("role") == "assistant" and (required_key is None or last.get(required_key) is True)
    return _text(last.get("content")) if is_prefilled else ""


def text_to_continue(messages: Any) -> str:
    """Return the text of the assistant message before a final user message that asks to continue."""
    last, before = _message(messages, -1), _message(messages, -2)
    asks = last.get("role") == "user" and _CONTINUE.search(_text(last.get("content")))
    return _text(before.get("content")) if asks and before.get("role") == "assistant" else ""


def continued(answer: Answer, prefix: str, fault: Fault) -> Answer:
    """Return the rest of ``answer`` after ``prefix``; all of it if it does not begin with ``prefix``.

    The fault ``repeats_overlap`` repeats some characters of the prefix first, ``starts_over`` all of it.
    """
    text = answer.text_of(0)
    if not prefix or not text.startswith(prefix) or fault.find("starts_over"):
        return answer
    overlap = fault.find("repeats_overlap")
    repeated = min((overlap.count or 0) if overlap else 0, len(prefix))
    return replace(answer, text=text[len(prefix) - repeated :], tokens=0)  # `tokens` would replace the text


def _message(messages: Any, place: int) -> Mapping[str, Any]:
    """Return the message at a negative index; an empty one if there is none."""
    message = messages[place] if isinstance(messages, list) and len(messages) >= -place else None
    return message if isinstance(message, Mapping) else {}


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return "".join(str(part.get("text") or "") for part in parts if isinstance(part, Mapping))
