"""Convert objectives to and from OpenSLO v1 (``openslo/v1``, kind ``SLO``), which other SLO tools read.

Fields that OpenSLO does not have are stored in annotations (``l0/…``), so that an export can be imported unchanged. A
file from another tool must have the annotation ``l0/indicator``, since a query does not identify an indicator of l0.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from . import series
from .burn import duration
from .document import ObjectivesError, Problems, build_objective, read_fields, seconds
from .objective import Objective
from .yaml_lines import Located, YamlError, dump, load

VERSION = "openslo/v1"
_SERVICE = "llm-calls"
_ANNOTATIONS = {
    "indicator": "l0/indicator",
    "threshold": "l0/threshold",
    "min_events": "l0/min-events",
    "provider": "l0/provider",
    "model": "l0/model",
}
"""Annotation of each field of `Objective` for which OpenSLO has no field."""


def to_openslo(objectives: Sequence[Objective]) -> str:
    """Return one OpenSLO document per objective: a ratio of l0's counters over a rolling window, by occurrences."""
    return dump(*(_slo(objective) for objective in objectives))


def _slo(objective: Objective) -> dict[str, Any]:
    return {
        "apiVersion": VERSION,
        "kind": "SLO",
        "metadata": {"name": objective.name, "annotations": _annotations(objective)},
        "spec": {
            "service": _SERVICE,
            "description": f"{objective.indicator.layer}: {objective.indicator.value.partition('.')[2]}",
            "indicator": {
                "metadata": {"name": objective.name},
                "spec": {
                    "ratioMetric": {"counter": True, "good": _source(objective, "true"), "total": _source(objective)}
                },
            },
            "timeWindow": [{"duration": duration(objective.window), "isRolling": True}],
            "budgetingMethod": "Occurrences",
            "objectives": [{"target": objective.target}],
        },
    }


def _annotations(objective: Objective) -> dict[str, str]:
    annotations: dict[str, str] = {
        _ANNOTATIONS["indicator"]: objective.indicator.value,
        _ANNOTATIONS["min_events"]: str(objective.min_events),
    }
    if objective.threshold is not None:
        annotations[_ANNOTATIONS["threshold"]] = seconds(objective.threshold)
    patterns = {name: getattr(objective, name) for name in ("provider", "model")}
    return annotations | {_ANNOTATIONS[name]: pattern for name, pattern in patterns.items() if pattern != "*"}


def _source(objective: Objective, good: str | None = None) -> dict[str, Any]:
    labels = {series.SLO: objective.name} | ({} if good is None else {series.GOOD: good})
    query = f"sum(increase({series.select(series.EVENTS, **labels)}[{duration(objective.window)}]))"
    return {"metricSource": {"type": "Prometheus", "spec": {"query": query}}}


def from_openslo(text: str, file: str = "openslo.yaml") -> tuple[Objective, ...]:
    """Return the SLOs of a file; ignore documents of other kinds. Raises `ObjectivesError` with all problems."""
    problems = Problems(file)
    try:
        documents = load(text)
    except YamlError as error:
        raise ObjectivesError([f"{file}:{error.line}: {error}"]) from None
    slos = [each for each in documents if isinstance(each.value, dict) and _value_at(each, "kind").value == "SLO"]
    if not slos:
        problems.add(1, f"no document of kind SLO, allowed: {VERSION} with one or more")
    objectives = [_objective(document, problems) for document in slos]
    names: set[str] = set()
    for document, objective in zip(slos, objectives, strict=True):
        if objective is not None and objective.name in names:
            problems.wrong(_value_at(document, "metadata", "name"), "metadata.name", "each name once")
        names |= {objective.name} if objective is not None else set()
    problems.stop_if_any()
    return tuple(objective for objective in objectives if objective is not None)


def _objective(document: Located, problems: Problems) -> Objective | None:
    _check_equal(_value_at(document, "apiVersion"), "apiVersion", VERSION, problems)
    _check_equal(_value_at(document, "spec", "budgetingMethod"), "spec.budgetingMethod", "Occurrences", problems)
    window = _value_at(document, "spec", "timeWindow", 0)
    _check_equal(_value_at(window, "isRolling"), "spec.timeWindow[0].isRolling", True, problems)
    _check_single(_value_at(document, "spec", "timeWindow"), "spec.timeWindow", problems)
    _check_single(_value_at(document, "spec", "objectives"), "spec.objectives", problems)
    annotations = _value_at(document, "metadata", "annotations")
    given = {
        "window": (_value_at(window, "duration"), "spec.timeWindow[0].duration"),
        "target": _target(_value_at(document, "spec", "objectives", 0)),
        "indicator": (
            _value_at(annotations, _ANNOTATIONS["indicator"]),
            f"metadata.annotations.{_ANNOTATIONS['indicator']}",
        ),
    }
    for name, key in _ANNOTATIONS.items():
        if (annotation := _value_at(annotations, key)).value is not None:
            given[name] = (annotation, f"metadata.annotations.{key}")
    values = read_fields(given, problems)
    if len(values) < len(given):
        return None
    lines = {name: found for name, (found, _) in given.items()} | {"name": _value_at(document, "metadata", "name")}
    return build_objective(lines["name"].value, values, lines, "SLO", problems)


def _target(objective: Located) -> tuple[Located, str]:
    """Return the target as a share or in percent, and the name of its field."""
    percent = _value_at(objective, "targetPercent")
    if percent.value is None:
        return _value_at(objective, "target"), "spec.objectives[0].target"
    return Located(f"{percent.plain()}%", percent.line), "spec.objectives[0].targetPercent"


def _check_single(found: Located, field: str, problems: Problems) -> None:
    """Report a list with several items, since only the first one would be used."""
    if isinstance(found.value, list) and len(found.value) > 1:
        problems.wrong(found, field, "one of them")


def _check_equal(found: Located, field: str, allowed: object, problems: Problems) -> None:
    if found.value != allowed:
        problems.wrong(found, field, repr(allowed))


def _value_at(document: Located, *path: str | int) -> Located:
    """Return the value at a path, or None with the line of the closest parent that exists."""
    found = document
    for step in path:
        try:
            found = found.value[step]
        except (KeyError, IndexError, TypeError):
            return Located(None, found.line)
    return found
