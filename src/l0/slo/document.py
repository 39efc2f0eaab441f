"""Read and write ``slo.yaml``, the file of objectives. Every mistake is reported with its line.

::

    window: 30d            # these two are the defaults of every objective
    min_events: 20
    objectives:
      first-token:
        indicator: attempts.first_token
        target: 95%
        threshold: 2s
        model: gpt-4o*
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from fnmatch import fnmatchcase
from typing import Any

from l0.model.nearest_name import nearest
from l0.model.policy import PolicyError
from l0.model.provider_hosts import PROVIDERS

from .burn import PAIRS, can_fire, duration
from .objective import DAY, DEFAULTS, Indicator, Objective
from .yaml_lines import REPEATED, Located, YamlError, dump, load

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?) ?(ms|s|m|h|d|w)")
_COMMON = ("window", "min_events")
_FIELDS = ("indicator", "target", "threshold", "provider", "model", *_COMMON)
_VALID: dict[str, Any] = {
    "name": "a",
    "indicator": Indicator.SUCCESS,
    "target": 0.5,
    "threshold": None,
    "window": DAY,
    "min_events": 1,
    "provider": "*",
    "model": "*",
}
"""A valid value for each field: it replaces an invalid one, so that the other fields can be checked."""
_LOWEST_TARGET = 0.1
"""A lower target would allow nine failures in ten calls. It is likely a share, such as 0.995, with a percent sign."""
_SHORTEST_S, _LONGEST_S = 0.01, 3600.0
"""Times outside of this range are likely to be in the wrong unit."""
_THRESHOLD = "a time above 0 with its unit, such as 2s or 500ms"
_COMMENT = """Service level objectives of l0. Check it with: l0 slo check FILE
attempts.* measures the provider; delivered.* measures what the user received, after all recovery."""


class ObjectivesError(ValueError):
    """An invalid file of objectives. ``problems``: one text per mistake: file, line, field, given and allowed value."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


class Problems:
    """All mistakes of one file, collected so that they are reported together."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._found: list[tuple[int, str]] = []

    def __len__(self) -> int:
        return len(self._found)

    def add(self, line: int, text: str) -> None:
        """Add a mistake in line ``line``."""
        self._found.append((line, f"{self._file}:{line}: {text}"))

    def wrong(self, found: Located, field: str, allowed: str) -> None:
        """Add a value that is not allowed."""
        self.add(found.line, f"{field}: got {found.plain()!r}, allowed: {allowed}")

    def stop_if_any(self) -> None:
        """Raise `ObjectivesError` if there are mistakes, sorted by line."""
        if self._found:
            raise ObjectivesError([text for _, text in sorted(self._found)])


def parse(text: str, file: str = "slo.yaml") -> tuple[Objective, ...]:
    """Return the objectives of a file. Raises `ObjectivesError` with all its mistakes."""
    return tuple(objective for objective, _ in parse_with_lines(text, file))


def parse_with_lines(text: str, file: str = "slo.yaml") -> list[tuple[Objective, int]]:
    """Return the objectives of a file, each with the line of its name. Raises as `parse`."""
    problems = Problems(file)
    try:
        documents = load(text, problems.add)
    except YamlError as error:
        raise ObjectivesError([f"{file}:{error.line}: {error}"]) from None
    objectives = _document(documents[0] if documents else Located(None, 1), problems)
    for extra in documents[1:]:
        problems.add(extra.line, "more than one document, allowed: one")
    problems.stop_if_any()
    return objectives


def _document(document: Located, problems: Problems) -> list[tuple[Objective, int]]:
    top = _mapping(document, "the file", ("objectives", *_COMMON), problems)
    named = _mapping(top.get("objectives", Located(None, document.line)), "objectives", None, problems)
    common = read_fields({name: (top[name], name) for name in _COMMON if name in top}, problems)
    common = valid_fields("common", _VALID | common, top, "", problems, only=common.keys())
    made = [
        (_objective(name.partition(REPEATED)[0], entry, common, problems), entry.line) for name, entry in named.items()
    ]
    return [(objective, line) for objective, line in made if objective is not None]


def _mapping(found: Located, field: str, known: tuple[str, ...] | None, problems: Problems) -> dict[str, Located]:
    if not isinstance(found.value, dict) or not found.value:
        problems.wrong(found, field, "a mapping" + (f" of {', '.join(known)}" if known else " of names to objectives"))
        return {}
    for name, inner in found.value.items():
        if known is not None and name not in known and REPEATED not in name:  # a duplicate key is reported already
            allowed = f"{nearest(name, known)}allowed: {', '.join(known)}"
            problems.add(inner.line, f"{field}: no field {name!r}, {allowed}")
    return found.value


def _objective(name: str, entry: Located, common: Mapping[str, Any], problems: Problems) -> Objective | None:
    where = f"objectives.{name}"
    own = _mapping(entry, where, _FIELDS, problems)
    if not own:
        return None
    before = len(problems)
    for field in ("indicator", "target"):
        if field not in own:
            problems.add(entry.line, f"{where}.{field}: missing")
    given = {field: (value, f"{where}.{field}") for field, value in own.items() if field in _FIELDS}
    values = read_fields(given, problems)
    unreadable = [field for field in ("indicator", "target", *given) if field not in values]
    values = {**common, **values, **{field: _VALID[field] for field in unreadable}}
    if "indicator" in unreadable or "threshold" in unreadable:
        values |= {"indicator": _VALID["indicator"], "threshold": None}
    made = build_objective(name, values, {**own, "name": entry}, where, problems)
    return made if len(problems) == before else None


def read_fields(given: Mapping[str, tuple[Located, str]], problems: Problems) -> dict[str, Any]:
    """Return the parsed values of fields. Values that cannot be parsed are left out and added to ``problems``.

    ``given``: by field, the located value and the field's name in messages.
    """
    values: dict[str, Any] = {}
    for name, (found, field) in given.items():
        try:
            values[name] = _READ.get(name, _unchanged)(found.plain())
        except ValueError as error:
            problems.wrong(found, field, str(error))
    return values


def build_objective(
    name: str, values: Mapping[str, Any], lines: Mapping[str, Located], where: str, problems: Problems
) -> Objective | None:
    """Return the objective, or ``None`` after adding a problem for every invalid field."""
    before = len(problems)
    valid = valid_fields(name, values, lines, where, problems)
    return Objective(name=name, **valid) if len(problems) == before else None


def valid_fields(
    name: Any,
    values: Mapping[str, Any],
    lines: Mapping[str, Located],
    where: str,
    problems: Problems,
    *,
    only: Set[str] | None = None,
) -> dict[str, Any]:
    """Return the valid values, and add a problem for each invalid one. ``only``: the fields to return.

    `Objective` raises for one mistake at a time. A valid value replaces each invalid one until no mistake is left.
    """
    valid: dict[str, Any] = {**values, "name": name}
    refused: set[str] = set()
    while True:
        try:
            Objective(**valid)
        except PolicyError as error:
            field = error.field.removeprefix("Objective.")
            if field in refused:
                break
            refused.add(field)
            found = lines.get(field) or lines.get("name", Located(None, 1))
            place = f"{where}.{field}" if where else field
            allowed = error.allowed
            if field == "threshold" and error.given is None:  # `Objective` has seconds, a file has the unit
                allowed = f"{_THRESHOLD}; {valid['indicator']} needs it"
            problems.add(found.line, f"{place}: got {error.given!r}, allowed: {allowed}")
            valid[field] = _VALID[field]
            if field in ("indicator", "threshold"):
                valid |= {"indicator": _VALID["indicator"], "threshold": None}
        else:
            break
    del valid["name"]
    return {field: value for field, value in valid.items() if only is None or (field in only - refused)}


def _unchanged(value: Any) -> Any:
    return value


def share(value: Any) -> float:
    """Return the number of a share: ``0.995`` for ``0.995``, ``99.5%`` and ``99.5 %``. Raises `ValueError`."""
    if isinstance(value, str) and value.endswith("%"):
        try:
            return round(float(value[:-1]) / 100, 12)
        except ValueError:
            value = None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("a share such as 99.5% or 0.995")
    return float(value)


def _positive_duration(value: Any) -> float:
    try:
        seconds = duration_s(value)
    except ValueError:
        seconds = 0.0
    if seconds <= 0:
        raise ValueError(_THRESHOLD)
    return seconds


def duration_s(value: Any) -> float:
    """Return the seconds of a duration such as ``2s``, ``500ms`` or ``30d``. Raises `ValueError`."""
    found = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError("a time with its unit (ms, s, m, h, d, w), such as 2s or 30d")
    return float(found[1]) * _SECONDS[found[2]]


def _whole_seconds(value: Any) -> int:
    seconds = duration_s(value)
    if not seconds.is_integer():
        raise ValueError("whole days, 1d to 30d")
    return int(seconds)


def _count(value: Any) -> Any:
    return int(value) if isinstance(value, str) and value.isdecimal() else value


_READ: dict[str, Callable[[Any], Any]] = {
    "target": share,
    "threshold": _positive_duration,
    "window": _whole_seconds,
    "min_events": _count,
}


def warnings_about(objectives: Sequence[Objective], lines: Sequence[int] = (), file: str = "slo.yaml") -> list[str]:
    """Return warnings about objectives that are valid but probably not intended.

    ``lines``: the lines of the objectives in ``file``. With them, each warning begins with file and line.
    """
    places = [f"{file}:{line}: " for line in lines] or [""] * len(objectives)
    scopes: dict[tuple[object, ...], str] = {}
    found = []
    for objective, place in zip(objectives, places, strict=True):
        found += [f"{place}{objective.name}: {text}" for text in _doubts(objective)]
        scope = (objective.indicator, objective.threshold, objective.window, objective.provider, objective.model)
        if scope in scopes:
            found.append(f"{place}{objective.name}: measures the same as {scopes[scope]}")
        scopes.setdefault(scope, objective.name)
        silent = [duration(pair.long) for pair in PAIRS if not can_fire(pair, objective)]
        if silent:
            found.append(
                f"{place}{objective.name}: with a target of {percent(objective.target)} the alert over "
                f"{' or '.join(silent)} can never fire"
            )
    if not any(objective.layer == "delivered" for objective in objectives):
        found.append("no objective for delivered calls: the file does not measure what users receive")
    return found


def _doubts(objective: Objective) -> Iterator[str]:
    """Yield a warning for each value of one objective that is valid but likely to be a mistake."""
    if objective.target < _LOWEST_TARGET:
        meant = percent(objective.target * 100)
        yield f"the target means {percent(objective.target)}; if you mean {meant}, write that"
    if objective.threshold is not None and not _SHORTEST_S <= objective.threshold <= _LONGEST_S:
        yield f"a threshold of {seconds(objective.threshold)} is likely to be in the wrong unit"
    for field in ("provider", "model"):
        pattern = getattr(objective, field)
        if any(sign in pattern for sign in (".*", "^", "$", "|")):
            yield f"{field} {pattern!r} is not a regular expression: * stands for any text"
    if not any(fnmatchcase(name, objective.provider) for name in PROVIDERS) and "." not in objective.provider:
        nearest_provider = nearest(objective.provider, PROVIDERS).rstrip()
        meant = nearest_provider or "right only if provider_names or an adapter of yours gives it"
        yield f"provider {objective.provider!r} is no name that L0 gives to a provider: {meant}"


def to_yaml(objectives: Sequence[Objective] = DEFAULTS) -> str:
    """Return the text of a file of objectives. `parse` reads it back."""
    common = {field for field in _COMMON if len({getattr(objective, field) for objective in objectives}) == 1}
    top = {name: text for name, text in _entry(objectives[0]).items() if name in common}
    entries = {
        objective.name: {name: text for name, text in _entry(objective).items() if name not in common}
        for objective in objectives
    }
    return dump({**top, "objectives": entries}, comment=_COMMENT)


def _entry(objective: Objective) -> dict[str, Any]:
    entry: dict[str, Any] = {"indicator": objective.indicator.value, "target": percent(objective.target)}
    if objective.threshold is not None:
        entry["threshold"] = seconds(objective.threshold)
    entry |= {"window": duration(objective.window), "min_events": objective.min_events}
    entry |= {field: pattern for field in ("provider", "model") if (pattern := getattr(objective, field)) != "*"}
    return entry


def percent(target: float) -> str:
    """Format a share in percent: ``99.5%``."""
    return f"{round(target * 100, 10):.12g}%"


def seconds(value: float) -> str:
    """Format seconds: ``5s``, ``0.5s``. Never use scientific notation, which `duration_s` and other readers reject."""
    return f"{value:.9f}".rstrip("0").rstrip(".") + "s"
