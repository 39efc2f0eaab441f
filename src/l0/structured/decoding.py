"""JSON text to Python values."""

from __future__ import annotations

import json
from typing import Any

import jiter


def loads(text: str) -> Any:
    """The value of a text that is JSON. What jiter refuses (deep nesting, lone surrogates) the standard library reads.

    Raises:
        RecursionError: nested too deeply for the standard library as well.
    """
    try:
        return jiter.from_json(text.encode())
    except ValueError:
        return json.loads(text)
