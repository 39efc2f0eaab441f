"""Name the place at which an answer does not match its schema, without a quotation of the answer."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

_MAX_STEPS = 20
"""Steps of a path that a place shows. A recursive schema allows any number."""


def place_of(path: Sequence[str | int], value: Any, declared: Collection[str], absent: str = "") -> str:
    """Return the place of ``path`` in the JSON ``value``, such as ``$.ports[3].city``; empty for the whole value.

    ``declared``: the names that the schema declares. Any other key is from the answer, and is shown as ``*``. pydantic
    adds the names of union members to its paths: the value has no such keys, and they are left out. ``absent``: the
    member that is missing there; the place is then its own.
    """
    place = "$"
    for step in path[:_MAX_STEPS]:
        if isinstance(value, list) and isinstance(step, int):
            place += f"[{step}]"
            value = value[step] if -len(value) <= step < len(value) else None
        elif isinstance(value, dict) and str(step) in value:
            place += _member(str(step)) if step in declared else ".*"
            value = value[str(step)]
    if absent in declared and len(path) < _MAX_STEPS:
        place += _member(absent)
    return place if place != "$" else ""


def declared_names(schema: Any) -> frozenset[str]:
    """Return the names of all members that a JSON Schema declares, at any depth."""
    names: set[str] = set()
    for each in objects_in(schema):
        for keyword in ("properties", "required"):
            names.update(name for name in _items(each.get(keyword)) if isinstance(name, str))
    return frozenset(names)


def objects_in(value: Any) -> Iterator[dict[str, Any]]:
    """Yield all objects in a JSON value."""
    if isinstance(value, dict):
        yield value
        for inner in value.values():
            yield from objects_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from objects_in(inner)


def _items(value: Any) -> Iterable[Any]:
    return value if isinstance(value, dict | list) else ()


def _member(name: str) -> str:
    return f".{name}" if name.isidentifier() else f"[{json.dumps(name)}]"
