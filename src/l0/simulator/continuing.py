"""Continuation as providers do it: an answer goes on after what the conversation says was said of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from l0.simulator.answers import Answer
from l0.simulator.faults import Fault

_CONTINUE = re.compile(r"\bcontinue\b", re.IGNORECASE)


def prefilled(messages: Any, flag: str | None = None) -> str:
    """What a last message of the assistant says; where the API wants a ``flag`` on it, only with that flag."""
    last = _message(messages, -1)
    wanted = last.get("role") == "assistant" and (flag is None or last.get(flag) is True)
    return _text(last.get("content")) if wanted else ""


def instructed(messages: Any) -> str:
    """What the assistant had said before a last message of the user that asks to continue."""
    last, before = _message(messages, -1), _message(messages, -2)
    wanted = last.get("role") == "user" and _CONTINUE.search(_text(last.get("content")))
    return _text(before.get("content")) if wanted and before.get("role") == "assistant" else ""


def continued(answer: Answer, said: str, fault: Fault) -> Answer:
    """What is left of ``answer``, where it begins with ``said``; some models repeat themselves before they go on."""
    whole = answer.text_of(0)
    if not said or not whole.startswith(said) or fault.find("starts_over"):
        return answer
    overlap = fault.find("repeats_overlap")
    repeated = min((overlap.count or 0) if overlap else 0, len(said))
    return replace(answer, text=whole[len(said) - repeated :], tokens=0)


def _message(messages: Any, place: int) -> Mapping[str, Any]:
    given = messages[place] if isinstance(messages, list) and len(messages) >= -place else None
    return given if isinstance(given, Mapping) else {}


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return "".join(str(part.get("text") or "") for part in parts if isinstance(part, Mapping))
