"""JSON text to Python values, as the SDKs decode it, by a faster parser."""

import json
from typing import Any

import jiter

parse = jiter.from_json
"""The fast parser on its own: right where it answers, and a ValueError is for `loads` to judge."""


def loads(payload: bytes) -> Any:
    """What `json.loads(payload.decode("utf-8"))` returns, value for value and type for type.

    jiter parses the same grammar, but is stricter in places where the standard library is lenient (lone surrogates,
    nesting beyond 200 levels) and words its errors differently. So whatever jiter refuses, the standard library judges.

    Raises:
        UnicodeDecodeError: not UTF-8.
        json.JSONDecodeError: not JSON.
        RecursionError: nested too deeply for the standard library as well.
    """
    try:
        return jiter.from_json(payload)
    except ValueError:
        return json.loads(payload.decode("utf-8"))
