"""Turn the engine's values into JSON, and back.

A dataclass becomes an object with its class name under ``"$"`` and one key per field. The classes are found by the
types of the fields of `Signal`, `Command` and `Call`, so a new field or class needs no change here. Functions, rules,
clients and exceptions cannot be written: only their name is, and they come back as an `Unrecorded`.
"""

from __future__ import annotations

import builtins
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import MISSING, dataclass, fields, is_dataclass
from enum import Enum
from functools import cache
from math import isfinite
from types import UnionType
from typing import Any, ClassVar, Union, get_args, get_origin, get_type_hints

from l0.engine.commands import Command
from l0.engine.signals import Signal
from l0.model.call import Call
from l0.model.text_safety import well_formed

_TAG = "$"
_NUMBER, _UNRECORDED, _MAPPING = "number", "unrecorded", "mapping"
_OMITTED = {"Call": {"body", "context", "tracer_provider"}, "Failure": {"detail"}}
"""Fields that are not written, or only with the user's content: requests and answers have their own place in a
recording."""
_FORMER_NAMES = {("Call", "retry_safety"): "replay"}
"""Names of fields in files of format 1."""


@dataclass(frozen=True, slots=True)
class Unrecorded:
    """Stands for a value that a recording cannot hold. ``name``: its class or function, such as ``"app.retry"``.

    ``cause``: for an exception, the built-in class of the error that caused it: the delay before a retry depends on it.
    """

    name: str
    cause: str = ""

    @property
    def __cause__(self) -> BaseException | None:
        """The cause, as the engine reads it from an exception."""
        kind = getattr(builtins, self.cause, None)
        return kind() if isinstance(kind, type) and issubclass(kind, OSError) else None

    __context__: ClassVar[None] = None

    def __str__(self) -> str:
        """Return the name without its module."""
        return self.name.rpartition(".")[2]


def encode(value: Any) -> Any:
    """Return a value that `json.dumps` accepts."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, str):
        return well_formed(str(value))
    if isinstance(value, int | float):
        return value if isfinite(value) else {_TAG: _NUMBER, "value": str(value)}
    if is_dataclass(value) and not isinstance(value, type) and type(value).__name__ in recorded_types():
        omitted = _OMITTED.get(type(value).__name__, ())
        names = [one.name for one in fields(value) if one.name not in omitted]
        return {_TAG: type(value).__name__} | {name: encode(getattr(value, name)) for name in names}
    if isinstance(value, Mapping):
        pairs = {str(key): encode(one) for key, one in value.items()}
        return {_TAG: _MAPPING, "value": pairs} if _TAG in pairs else pairs
    if isinstance(value, list | tuple | Set):
        return [encode(one) for one in (sorted(value) if isinstance(value, Set) else value)]
    if not isinstance(value, Unrecorded):
        return {_TAG: _UNRECORDED, "name": name_of(value)}
    return {_TAG: _UNRECORDED, "name": value.name} | ({"cause": value.cause} if value.cause else {})


def name_of(value: object) -> str:
    """Return the qualified name of a function or a class, or of the class of another value."""
    named: Any = value if hasattr(value, "__qualname__") else type(value)
    return f"{getattr(named, '__module__', None)}.{named.__qualname__}"


def decode(value: Any, hint: Any = Any) -> Any:
    """Return the value that `encode` was given. ``hint``: its type, which tells a tuple from a list.

    Checks of the classes do not run, as a field may hold an `Unrecorded`. A class that this version does not know, as
    in a recording of a later one, becomes an `Unrecorded` as well.
    """
    if isinstance(value, str):
        return _enum_member(value, hint)
    if isinstance(value, list):
        return _sequence(value, hint)
    if not isinstance(value, dict):
        return value
    tag = value.get(_TAG)
    if tag == _NUMBER:
        return float(value["value"])
    if tag == _UNRECORDED:
        return Unrecorded(value["name"], value.get("cause", ""))
    if tag is None or tag == _MAPPING:
        pairs = value if tag is None else value["value"]
        item = next((get_args(one)[1] for one in _alternatives(hint) if len(get_args(one)) == 2), Any)
        return {key: decode(one, item) for key, one in pairs.items()}
    kind = recorded_types().get(tag)
    return Unrecorded(tag) if kind is None else _built(kind, value)


def _built(kind: type, value: Mapping[str, Any]) -> Any:
    hints = _hints(kind)
    built: Any = object.__new__(kind)
    for one in fields(kind):
        former = _FORMER_NAMES.get((kind.__name__, one.name), one.name)
        name = one.name if one.name in value else former
        found = decode(value[name], hints[one.name]) if name in value else _default(one)
        object.__setattr__(built, one.name, found)
    return built


def _default(one: Any) -> Any:
    """Return the default of a field that a recording lacks; ``None`` if it has none."""
    if one.default is not MISSING:
        return one.default
    return None if one.default_factory is MISSING else one.default_factory()


def _enum_member(text: str, hint: Any) -> Any:
    """Return the member of an enumeration that the hint names; else the text."""
    for kind in _alternatives(hint):
        if isinstance(kind, type) and issubclass(kind, Enum):
            try:
                return kind(text)
            except ValueError:
                continue
    return text


def _sequence(value: list[Any], hint: Any) -> Any:
    for one in _alternatives(hint):
        kind = get_origin(one) or one
        if not isinstance(kind, type) or not issubclass(kind, Sequence | Set) or issubclass(kind, str):
            continue
        items = get_args(one) or (Any,)
        if len(items) == len(value) and kind is tuple and items[-1] is not Ellipsis:
            return tuple(decode(part, item) for part, item in zip(value, items, strict=True))
        parts = [decode(part, items[0]) for part in value]
        if hasattr(one, "_fields"):
            return one(*(decode(part, item) for part, item in zip(value, get_type_hints(one).values(), strict=True)))
        return frozenset(parts) if issubclass(kind, Set) else parts if kind is list else tuple(parts)
    return [decode(part) for part in value]


@cache
def recorded_types() -> dict[str, type]:
    """Return the dataclasses that a recording holds, by name."""
    found: dict[str, type] = {}
    waiting: list[Any] = [*get_args(Signal), *get_args(Command), Call]
    while waiting:
        kind = waiting.pop()
        if is_dataclass(kind) and isinstance(kind, type) and kind.__name__ not in found:
            found[kind.__name__] = kind
            waiting += [part for hint in _hints(kind).values() for part in _parts(hint)]
    return found


@cache
def _hints(kind: type) -> dict[str, Any]:
    hints = get_type_hints(kind)
    return {one.name: hints[one.name] for one in fields(kind)}


def _alternatives(hint: Any) -> tuple[Any, ...]:
    return get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)


def _parts(hint: Any) -> Iterator[Any]:
    """Yield the types within a type: those of a union, or of the items of a collection."""
    yield hint
    for part in get_args(hint):
        yield from _parts(part)
