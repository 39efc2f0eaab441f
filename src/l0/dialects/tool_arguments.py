"""Tell if the arguments of a tool call break off: a proxy that loses the rest of an answer may still end it."""

from __future__ import annotations

import json

import jiter

_COMPLETE = json.JSONDecoder()


def breaks_off(arguments: str) -> bool:
    """Return True if a text is the beginning of a JSON object, and not all of it. Any other text, such as a model's
    invalid JSON, does not break off."""
    text = arguments.lstrip()
    if not text.startswith("{"):
        return False
    try:
        _COMPLETE.raw_decode(text)
        return False
    except (ValueError, RecursionError):
        pass
    try:
        jiter.from_json(text.encode(), partial_mode=True)
    except ValueError:
        return False
    return True
