"""Read metadata from answers without failing on unexpected values.

L0 uses an answer twice: it builds the user's objects, and it reads metadata (text, tokens, finish reasons, tool calls).
A failure to read metadata must not affect the user's objects. So these functions check the type of a value before its
use. The few places that catch remaining exceptions call `log_unread`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .errors import raised

_log = logging.getLogger("l0")
_MAX_COUNT = 2**63 - 1
"""The largest integer of OTLP, which has 64 bits."""
_NOTHING: Mapping[str, Any] = {}


def text_of(value: object) -> str | None:
    """Return the value if it is text, else ``None``."""
    return value if type(value) is str else None


def count_of(value: object) -> int | None:
    """Return the value if it is a non-negative integer that telemetry can carry, else ``None``."""
    return value if type(value) is int and 0 <= value <= _MAX_COUNT else None


def code_of(*values: object) -> str | None:
    """Return the first value that is an error code: text, or a number such as an HTTP status."""
    for value in values:
        if value and (type(value) is str or count_of(value) is not None):
            return str(value)
    return None


def place_of(value: object) -> int | None:
    """Return the value if it is an index, else ``None``."""
    return value if type(value) is int else None


def object_of(value: object) -> Mapping[str, Any]:
    """Return the value if it is a JSON object, else an empty one."""
    return value if type(value) is dict or isinstance(value, Mapping) else _NOTHING


def objects_in(value: object) -> Iterator[Mapping[str, Any]]:
    """Yield the JSON objects in a list. Yield nothing if the value is not a list."""
    return (each for each in items_in(value) if type(each) is dict or isinstance(each, Mapping))


def items_in(value: object) -> Sequence[Any]:
    """Return the value if it is a list, else an empty one."""
    if type(value) is list:
        return value
    return value if isinstance(value, Sequence) and not isinstance(value, str | bytes) else ()


def log_unread(what: str) -> None:
    """Log that metadata could not be read. Call this where the exception is caught."""
    _log.debug("metadata could not be read from %s; the user's objects are not affected: %s", what, raised())
