"""Read a policy from ``L0_*`` variables, for programs that are instrumented without a change of code.

The dataclasses of `policy` define the variables: a field of `Policy` is ``L0_<FIELD>``, a field of a nested value is
``L0_<FIELD>_<ITS FIELD>`` (``L0_RETRY_ATTEMPTS``, ``L0_TIMEOUT_INITIAL_TOKEN``), in the unit of that field.
``L0_POLICY`` names the preset that the other variables change. Without it they change `Policy()`, so one variable of
``Retry`` brings the guide's defaults for its other fields. Fields that take a function or a mapping have no variable.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from difflib import get_close_matches
from enum import StrEnum
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from .policy import Policy, PolicyError

_PREFIX = "L0_"
_PRESET = "L0_POLICY"
_DIRECT = "L0_DIRECT"
_OTHER_VARIABLES = frozenset({"L0_ATTEMPT_SPANS", "L0_CHUNK_METRICS", _DIRECT})
"""Variables that do not belong to the policy: telemetry reads its own, and `direct_from_environment` reads one."""
_T = TypeVar("_T")
_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Variable:
    """One settable field. ``field``: its name in `PolicyError`. ``path``: the names from the policy down to it."""

    name: str
    field: str
    path: tuple[str, ...]
    read: Callable[[str], Any]
    allowed: str


def policy_from_environment(environ: Mapping[str, str]) -> Policy | None:
    """Return the policy that ``environ`` sets; ``None`` if it sets none. Empty variables are ignored.

    Raises `PolicyError`, which names the variable, for an unknown variable and for a value that is not allowed.
    """
    given = {name: text.strip() for name, text in environ.items() if name.startswith(_PREFIX) and text.strip()}
    given = {name: text for name, text in given.items() if name not in _OTHER_VARIABLES}
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
    """Return True if ``L0_DIRECT`` asks for reading streams directly from their connections.

    Raises `PolicyError` for a value that is not allowed.
    """
    text = environ.get(_DIRECT, "").strip()
    if text.lower() not in ("", *_BOOLEANS):
        raise PolicyError(_DIRECT, text, "true or false")
    return _BOOLEANS.get(text.lower(), False)


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
    """Return ``value``, a dataclass of the policy, or a new one if it is ``None``, with ``changes`` to its fields."""
    made: dict[str, Any] = {}
    for name, change in changes.items():
        if not isinstance(change, dict):
            made[name] = change
            continue
        part, inner = _part(kind, name), getattr(value, name, None)
        made[name] = _changed(part, inner if isinstance(inner, part) else None, change)
    return kind(**made) if value is None else replace(value, **made)  # type: ignore[type-var]


# -- variables derived from the dataclasses -------------------------------------------------------------------------


def _variables(kind: type, prefix: str, path: tuple[str, ...]) -> list[_Variable]:
    found = []
    for field, hint in _hints(kind).items():
        name, here = _name(prefix, field), (*path, field)
        parser = _parser(_members(hint))
        if parser is not None:
            read, allowed = parser
            found.append(_Variable(name=name, field=f"{kind.__name__}.{field}", path=here, read=read, allowed=allowed))
        part = _part(kind, field)
        if part is not None:
            found += _variables(part, f"{name}_", here)
    return found


def _hints(kind: type) -> dict[str, Any]:
    hints = get_type_hints(kind)
    return {field.name: hints[field.name] for field in fields(kind)}


def _name(prefix: str, field: str) -> str:
    return prefix + field.upper()


def _members(hint: Any) -> tuple[Any, ...]:
    return get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)


def _part(kind: type, field: str) -> Any:
    """Return the dataclass that a field takes, or ``None``."""
    return next((member for member in _members(_hints(kind)[field]) if is_dataclass(member)), None)


def _parser(members: tuple[Any, ...]) -> tuple[Callable[[str], Any], str] | None:
    """Return a parser for a value of one of ``members``, and a description; ``None`` if a text cannot express it."""
    parsers = [parse for parse in map(_simple_parser, members) if parse is not None]
    if not parsers:
        return None
    if NoneType in members:
        parsers.append((lambda text: {"none": None}[text.lower()], "none"))

    def read(text: str) -> Any:
        for parse, _ in parsers:
            try:
                return parse(text)
            except (ValueError, KeyError):
                continue
        raise ValueError(text)

    return read, ", or ".join(allowed for _, allowed in parsers)


def _simple_parser(member: Any) -> tuple[Callable[[str], Any], str] | None:
    if member is bool:
        return (lambda text: _BOOLEANS[text.lower()]), "true or false"
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
    if get_origin(member) is Sequence and (item := _simple_parser(get_args(member)[0])) is not None:
        read, allowed = item
        return (lambda text: tuple(read(part.strip()) for part in text.split(","))), f"{allowed}; several with commas"
    return None
