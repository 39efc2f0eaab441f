"""Detect arguments of a tool call that break off: a proxy may lose the rest of an answer, and still send its end."""

from __future__ import annotations

import json

import jiter

_DECODER = json.JSONDecoder()


def breaks_off(arguments: str) -> bool:
    """Return True if a text is the incomplete beginning of a JSON object. Any other text, such as a model's invalid
    JSON, does not break off."""
    text = arguments.lstrip()
    if not text.startswith("{"):
        return False
    try:
        _DECODER.raw_decode(text)
        return False
    except (ValueError, RecursionError):
        pass
    try:
        jiter.from_json(text.encode(), partial_mode=True)
    except ValueError:
        return False
    return True
