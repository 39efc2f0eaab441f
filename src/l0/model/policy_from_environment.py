"""Read the policy and other settings from ``L0_*`` variables, for programs that are instrumented without a code change.

The dataclasses of `policy` define the variables: a field of `Policy` is ``L0_<FIELD>``, a field of a nested value is
``L0_<FIELD>_<ITS FIELD>`` (``L0_RETRY_ATTEMPTS``, ``L0_TIMEOUT_INITIAL_TOKEN``), in the unit of that field.
``L0_POLICY`` names the policy that the other variables change: a preset, or ``FILE.py:NAME``. Without it they change
`Policy()`, so one variable of `Retry` also sets the other fields of `Retry` to their defaults. Fields that take a
function or a mapping have no variable.

A variable cannot break a program: an unknown variable or a value that is not allowed is ignored and reported as a
problem, and the other variables apply.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from enum import StrEnum
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from .durations import UnitWarning
from .fleet_url import fleet_url
from .named_policy import named_policy
from .nearest_name import nearest
from .policy import Policy, PolicyError

_PREFIX = "L0_"
POLICY_OPTION = "_L0_POLICY_OPTION"
"""The variable with the `L0_POLICY` that `l0 run --policy` has set: messages then name the option that was typed."""
_PRESET = "L0_POLICY"
SWITCHES = {
    "L0_CONSOLE": "console",
    "L0_DIRECT": "direct",
    "L0_RECORD_CONTENT": "record_content",
    "L0_TIMELINE": "timeline",
}
"""The variables that are true or false, and their fields in `EnvironmentSettings`."""
_RECORD, _LOG, _PROVIDER_NAMES, _FLEET = "L0_RECORD", "L0_LOG", "L0_PROVIDER_NAMES", "L0_FLEET"
_TELEMETRY = {"L0_ATTEMPT_SPANS", "L0_CHUNK_METRICS", "L0_FORMER_NAMES", "L0_RULE_METRICS"}
"""Variables that telemetry reads. Their only value is ``all``."""
_OTHER_VARIABLES = frozenset({_RECORD, _LOG, _PROVIDER_NAMES, _FLEET, *_TELEMETRY, *SWITCHES})
"""Variables that do not belong to the policy."""
_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}
Path = tuple[str, ...]
"""The field names that lead from a policy to one of its settings, such as ``("retry", "attempts")``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentSettings:
    """The settings of the environment.

    ``policy``: ``None`` if no variable sets one. ``direct``: read the connection of a stream directly, not through the
    transport. ``timeline``: record `StreamStats.timeline`. ``console``: print calls to stderr. ``record``: the
    directory in which calls are recorded; ``None`` for none. ``record_content``: record the bodies of requests.
    ``log``: the file for log lines in JSON; ``None`` for none. ``provider_names``: names of providers by host or
    ``host:port``. ``fleet``: the URL of the Redis that the fleet shares; ``None`` for none.

    ``sources``: the variable that sets each field, by the field's path; ``L0_POLICY`` has the empty path.
    ``problems``: one text for each variable that is ignored, or that is likely to be in the wrong unit.
    """

    policy: Policy | None = None
    direct: bool = True
    timeline: bool = False
    console: bool = False
    record: str | None = None
    log: str | None = None
    record_content: bool = False
    provider_names: Mapping[str, str] = field(default_factory=dict)
    fleet: str | None = None
    sources: Mapping[Path, str] = field(default_factory=dict)
    problems: tuple[str, ...] = ()

    def turns_off(self, policy: Policy) -> bool:
        """Return True if ``L0_MODE=off`` applies to the calls of this policy, which code has set.

        The variable is the switch of an operator who cannot change the program, so it wins over the default mode.
        """
        return policy.mode == "active" and self.policy is not None and self.policy.mode == "off"

    def replaced_by(self, policy: Policy) -> str:
        """Return the names of the variables that have no effect because code has set this policy."""
        applied = self.sources.get(("mode",), self.sources.get(())) if self.turns_off(policy) else None
        return ", ".join(sorted(name for name in self.sources.values() if name != applied))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Variable:
    """The variable of one field. ``field``: the name of the field in `PolicyError`. ``read``: parses the text of the
    variable. ``allowed``: describes the allowed values."""

    name: str
    field: str
    path: Path
    read: Callable[[str], Any]
    allowed: str


def read_environment(environ: Mapping[str, str]) -> EnvironmentSettings:
    """Return the settings in ``environ``. Empty variables are ignored. Never raises."""
    given = {name: text.strip() for name, text in environ.items() if name.startswith(_PREFIX) and text.strip()}
    known = {variable.name: variable for variable in _variables(Policy, _PREFIX, ())}
    policy, sources, problems = Policy(), dict[Path, str](), list[str]()
    switches, provider_names, fleet = dict[str, bool](), dict[str, str](), None
    for name, text in sorted(given.items(), key=lambda item: (item[0] != _PRESET, item[0])):
        try:
            if name == _PRESET:
                policy = named_policy(text, name)
                sources[()] = "--policy of l0 run" if text == environ.get(POLICY_OPTION) else name
            elif name in SWITCHES:
                switches[SWITCHES[name]] = _boolean(name, text)
            elif name in (_RECORD, _LOG):
                continue
            elif name == _PROVIDER_NAMES:
                provider_names = _names_by_host(text)
            elif name == _FLEET:
                fleet = fleet_url(text, name) or None
            elif name in known:
                policy = _set(policy, known[name], text, sources, problems)
                sources[known[name].path] = name
            elif name not in _OTHER_VARIABLES:
                raise _unknown(name, text, [*known, *_OTHER_VARIABLES, _PRESET])
            elif text.lower() != "all":
                raise PolicyError(name, text, "all")
        except PolicyError as error:
            problems.append(f"{PolicyError(name, text, error.allowed)}; it is ignored")
    return EnvironmentSettings(
        policy=policy if sources else None,
        record=given.get(_RECORD),
        log=given.get(_LOG),
        provider_names=provider_names,
        fleet=fleet,
        sources=sources,
        problems=tuple(problems),
        **switches,
    )


def _names_by_host(text: str) -> dict[str, str]:
    pairs = [part.partition("=") for part in text.split(",")]
    names = {host.strip(): name.strip() for host, _, name in pairs}
    if not all(names) or not all(names.values()):
        raise PolicyError(_PROVIDER_NAMES, text, "host=name or host:port=name; several with commas")
    return names


def _boolean(name: str, text: str) -> bool:
    if text.lower() not in _BOOLEANS:
        raise PolicyError(name, text, "true or false")
    return _BOOLEANS[text.lower()]


def _unknown(name: str, text: str, known: Sequence[str]) -> PolicyError:
    suggestion = nearest(name.upper(), known, off="L0_MODE=off", prefix=_PREFIX).rstrip(". ")
    return PolicyError(name, text, f"no such variable; {suggestion or 'one of ' + ', '.join(sorted(known))}")


def _set(
    policy: Policy,
    variable: _Variable,
    text: str,
    sources: Mapping[Path, str],
    problems: list[str],
) -> Policy:
    """Return ``policy`` with the field of ``variable`` set. Add a problem if the unit of the value is likely wrong."""
    try:
        value = variable.read(text)
    except ValueError:
        raise PolicyError(variable.name, text, variable.allowed) from None
    parent = variable.path[:-1]
    if parent in sources and parent and not is_dataclass(getattr(policy, parent[0])):
        raise PolicyError(variable.name, text, f"a value only if {sources[parent]} is not set to false")
    with warnings.catch_warnings(record=True, action="always", category=UnitWarning) as caught:
        changed: Policy = _changed(Policy, policy, variable.path, value)
    problems += [f"{variable.name}: {warning.message}" for warning in caught]
    return changed


def _changed(kind: Any, value: Any, path: Path, new: Any) -> Any:
    """Return a copy of ``value`` with the field at ``path`` changed to ``new``.

    ``value``: an instance of the dataclass ``kind``; ``None`` for one with default values.
    """
    name, *rest = path
    if rest:
        nested, inner = _nested_dataclass(kind, name), getattr(value, name, None)
        new = _changed(nested, inner if isinstance(inner, nested) else None, tuple(rest), new)
    return kind(**{name: new}) if value is None else replace(value, **{name: new})


# -- variables derived from the dataclasses -------------------------------------------------------------------------


def _variables(kind: type, prefix: str, path: Path) -> list[_Variable]:
    found = []
    for field_name, hint in _hints(kind).items():
        name, field_path = prefix + field_name.upper(), (*path, field_name)
        parser = _parser(_members(hint))
        if parser is not None:
            read, allowed = parser
            found.append(
                _Variable(name=name, field=f"{kind.__name__}.{field_name}", path=field_path, read=read, allowed=allowed)
            )
        nested = _nested_dataclass(kind, field_name)
        if nested is not None:
            found += _variables(nested, f"{name}_", field_path)
    return found


@cache  # every instrumented SDK reads the environment again, and evaluating annotations takes most of that time
def _hints(kind: type) -> dict[str, Any]:
    hints = get_type_hints(kind)
    return {each.name: hints[each.name] for each in fields(kind)}


def _members(hint: Any) -> tuple[Any, ...]:
    return get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)


def _nested_dataclass(kind: type, name: str) -> Any:
    """Return the dataclass that is the type of a field, or one of its types; ``None`` if there is none."""
    return next((member for member in _members(_hints(kind)[name]) if is_dataclass(member)), None)


def _parser(members: tuple[Any, ...]) -> tuple[Callable[[str], Any], str] | None:
    """Return a parser for a value of one of these types, and a description of the allowed texts.

    ``None`` if no text can express such a value.
    """
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
