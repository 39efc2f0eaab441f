"""Decode JSON as the SDKs do, with a faster parser."""

import json
from typing import Any

import jiter

parse = jiter.from_json
"""The fast parser without the fallback of `loads`, for hot paths. If it raises ValueError, call `loads`."""


def loads(payload: bytes) -> Any:
    """Return the same value as `json.loads(payload.decode("utf-8"))`, with the same types.

    jiter is stricter than the standard library in some places (lone surrogates, nesting beyond 200 levels), and has
    other error messages. So the standard library parses what jiter rejects.

    Raises:
        UnicodeDecodeError: not UTF-8.
        json.JSONDecodeError: not JSON.
        RecursionError: nested more deeply than the standard library can parse.
    """
    try:
        return jiter.from_json(payload)
    except ValueError:
        return json.loads(payload.decode("utf-8"))
