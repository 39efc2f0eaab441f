"""Mutants of JSON: one field is another value, of any kind, or missing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Path = tuple[str | int, ...]
MISSING = "<missing>"
_DEPTH = 205
"""Levels; the fast parser gives up at 200, and the standard library reads it."""


def _deep() -> Any:
    value: Any = "x"
    for _ in range(_DEPTH):
        value = [value]
    return value


VALUES: dict[str, Any] = {
    MISSING: None,
    "null": None,
    "number": 7,
    "negative": -3,
    "float": 1.5,
    "true": True,
    "text": "x",
    "empty text": "",
    "empty list": [],
    "list": [1, "a", None],
    "empty object": {},
    "object": {"a": [1]},
    "huge": 2**70,
    "deep": _deep(),
}
"""The replacements for a field."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """``path``: of the field that was changed. ``kind``: what it is now, a key of `VALUES`."""

    path: Path
    kind: str
    value: Any

    def __str__(self) -> str:
        return f"{'.'.join(map(str, self.path)) or 'the whole'} is {self.kind}"


def paths(value: Any, path: Path = ()) -> Iterator[Path]:
    """All fields of a value, itself first."""
    yield path
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from paths(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from paths(inner, (*path, index))


def mutants(value: Any) -> Iterator[Mutant]:
    """Every field of ``value``, changed in every way."""
    for path in paths(value):
        for kind, other in VALUES.items():
            if path or kind != MISSING:
                changed = _changed(value, path, kind, other)
                if changed != value:
                    yield Mutant(path=path, kind=kind, value=changed)


def _changed(value: Any, path: Path, kind: str, other: Any) -> Any:
    if not path:
        return other
    step, *rest = path
    copy: Any = value.copy()
    if not rest and kind == MISSING:
        del copy[step]
    else:
        copy[step] = _changed(value[step], tuple(rest), kind, other)
    return copy
