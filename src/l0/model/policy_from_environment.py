"""A policy from ``L0_*`` variables, for programs that are instrumented without a line of code.

The dataclasses of `policy` are the only definition: a field of `Policy` is ``L0_<FIELD>``, one of a value inside it
``L0_<FIELD>_<ITS FIELD>`` (``L0_RETRY_ATTEMPTS``, ``L0_TIMEOUT_INITIAL_TOKEN``), in the units of that field.
``L0_POLICY`` names the preset that the others change; without it they change `Policy()`, so that one variable of
``Retry`` brings the guide's figures for the rest of it. What takes a function or a mapping cannot be told here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from difflib import get_close_matches
from enum import StrEnum
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from . import failure
from .policy import Policy, PolicyError

_PREFIX = "L0_"
_PRESET = "L0_POLICY"
_DIRECT = "L0_DIRECT"
_NO_POLICY = frozenset({"L0_ATTEMPT_SPANS", "L0_CHUNK_METRICS", _DIRECT})
"""How much telemetry tells, which it reads for itself, and how bodies are read."""
_T = TypeVar("_T")
_SWITCH = {"true": True, "1": True, "false": False, "0": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Variable:
    """One settable field. ``field``: as `PolicyError` names it. ``path``: where it stands, from the policy down."""

    name: str
    field: str
    path: tuple[str, ...]
    read: Callable[[str], Any]
    allowed: str


def policy_from_environment(environ: Mapping[str, str]) -> Policy | None:
    """The policy that ``environ`` asks for; ``None`` where it says nothing. A variable that is empty says nothing.

    Raises `PolicyError`, naming the variable, for one that is not known and for a value that is not allowed.
    """
    given = {name: text.strip() for name, text in environ.items() if name.startswith(_PREFIX) and text.strip()}
    given = {name: text for name, text in given.items() if name not in _NO_POLICY}
    if not given:
        return None
    policy = _preset(given.pop(_PRESET, None))
    known = {variable.name: variable for variable in _variables(Policy, _PREFIX, ())}
    changes: dict[str, Any] = {}
    for name, text in sorted(given.items()):
        if name not in known:
            raise _unknown(name, text, [*known, _PRESET])
        _put(changes, known[name], text)
    try:
        return _changed(Policy, policy, changes)
    except PolicyError as error:
        for name, text in given.items():
            if known[name].field == error.field:
                raise PolicyError(name, text, error.allowed) from None
        raise


def direct_from_environment(environ: Mapping[str, str]) -> bool:
    """Whether ``L0_DIRECT`` asks for streams to be read straight from their connections.

    Raises `PolicyError` for a value that is not allowed.
    """
    text = environ.get(_DIRECT, "").strip()
    if text.lower() not in ("", *_SWITCH):
        raise PolicyError(_DIRECT, text, "true or false")
    return _SWITCH.get(text.lower(), False)


def _preset(name: str | None) -> Policy:
    presets = {preset: getattr(Policy, preset) for preset, kind in vars(Policy).items() if type(kind) is classmethod}
    if name is None:
        return Policy()
    if name.lower() not in presets:
        raise PolicyError(_PRESET, name, "one of " + ", ".join(presets))
    policy: Policy = presets[name.lower()]()
    return policy


def _unknown(name: str, text: str, known: Sequence[str]) -> PolicyError:
    close = get_close_matches(name, known, n=1)
    allowed = f"did you mean {close[0]}?" if close else "one of " + ", ".join(sorted(known))
    return PolicyError(name, text, f"no such variable; {allowed}")


def _put(changes: dict[str, Any], variable: _Variable, text: str) -> None:
    try:
        value = variable.read(text)
    except ValueError:
        raise PolicyError(variable.name, text, variable.allowed) from None
    *parents, last = variable.path
    for parent in parents:
        inner = changes.setdefault(parent, {})
        if not isinstance(inner, dict):
            raise PolicyError(variable.name, text, f"this or {_name(_PREFIX, parent)}, not both")
        changes = inner
    changes[last] = value


def _changed(kind: type[_T], value: _T | None, changes: Mapping[str, Any]) -> _T:
    """``value``, a dataclass of the policy, or a new one where there is none, with ``changes`` to what stands in it."""
    made: dict[str, Any] = {}
    for name, change in changes.items():
        if not isinstance(change, dict):
            made[name] = change
            continue
        part, inner = _part(kind, name), getattr(value, name, None)
        made[name] = _changed(part, inner if isinstance(inner, part) else None, change)
    return kind(**made) if value is None else replace(value, **made)  # type: ignore[type-var]


# -- what the dataclasses say ---------------------------------------------------------------------------------------


def _variables(kind: type, prefix: str, path: tuple[str, ...]) -> list[_Variable]:
    found = []
    for field, hint in _hints(kind).items():
        name, here = _name(prefix, field), (*path, field)
        reading = _reading(_members(hint))
        if reading is not None:
            read, allowed = reading
            found.append(_Variable(name=name, field=f"{kind.__name__}.{field}", path=here, read=read, allowed=allowed))
        part = _part(kind, field)
        if part is not None:
            found += _variables(part, f"{name}_", here)
    return found


def _hints(kind: type) -> dict[str, Any]:
    hints = get_type_hints(kind, localns=vars(failure))  # which `policy` cannot import: it is built on it
    return {field.name: hints[field.name] for field in fields(kind)}


def _name(prefix: str, field: str) -> str:
    return prefix + field.upper()


def _members(hint: Any) -> tuple[Any, ...]:
    return get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)


def _part(kind: type, field: str) -> Any:
    """The dataclass that a field takes, if it takes one."""
    return next((member for member in _members(_hints(kind)[field]) if is_dataclass(member)), None)


def _reading(members: tuple[Any, ...]) -> tuple[Callable[[str], Any], str] | None:
    """How a text becomes a value of one of ``members``, and what is allowed in words; ``None`` if it cannot."""
    ways = [way for way in map(_simple, members) if way is not None]
    if not ways:
        return None
    if NoneType in members:
        ways.append((lambda text: {"none": None}[text.lower()], "none"))

    def read(text: str) -> Any:
        for way, _ in ways:
            try:
                return way(text)
            except (ValueError, KeyError):
                continue
        raise ValueError(text)

    return read, ", or ".join(allowed for _, allowed in ways)


def _simple(member: Any) -> tuple[Callable[[str], Any], str] | None:
    if member is bool:
        return (lambda text: _SWITCH[text.lower()]), "true or false"
    if member is int:
        return int, "a whole number"
    if member is float:
        return float, "a number"
    if member is str:
        return str, "a text"
    if get_origin(member) is Literal:
        choices = {str(choice): choice for choice in get_args(member)}
        return (lambda text: choices[text.lower()]), "one of " + ", ".join(choices)
    if isinstance(member, type) and issubclass(member, StrEnum):
        return (lambda text: member(text.lower())), "one of " + ", ".join(member)
    if get_origin(member) is Sequence and (item := _simple(get_args(member)[0])) is not None:
        read, allowed = item
        return (lambda text: tuple(read(part.strip()) for part in text.split(","))), f"{allowed}; several with commas"
    return None
