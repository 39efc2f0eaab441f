"""Reading an answer for facts: what the provider promises, taken where it is there, and left out where it is not.

An answer is read twice: its objects are built and handed over, and beside that it is read for facts (text, tokens,
finish reasons, tool calls). The second must never disturb the first. So each value is asked what it is before it is
used, by the functions here; and what raises all the same ends at one of the few fences, which call `unread`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .errors import raised

_log = logging.getLogger("l0")
_MOST = 2**63 - 1
"""The largest integer that the telemetry of a count can carry."""
_NOTHING: Mapping[str, Any] = {}


def text_of(value: object) -> str | None:
    """Return the value if it is text, else ``None``."""
    return value if type(value) is str else None


def count_of(value: object) -> int | None:
    """Return the value if it is a number of something, else ``None``."""
    return value if type(value) is int and 0 <= value <= _MOST else None


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
    """Return the value if it is an object of JSON, else an empty one."""
    return value if isinstance(value, Mapping) else _NOTHING


def objects_in(value: object) -> Iterator[Mapping[str, Any]]:
    """Yield the objects in a list; nothing if the value is no list."""
    return (each for each in items_in(value) if isinstance(each, Mapping))


def items_in(value: object) -> Sequence[Any]:
    """Return the value if it is a list, else an empty one."""
    return value if isinstance(value, Sequence) and not isinstance(value, str | bytes) else ()


def unread(what: str) -> None:
    """Log that something could not be read for facts. To be called where the exception is caught."""
    _log.debug("%s could not be read for facts; the user's objects are not affected: %s", what, raised())
