"""The table in docs/rules.md lists every rule of the folders, under the families that it declares."""

from __future__ import annotations

import inspect
import pkgutil
from collections.abc import Iterator
from dataclasses import fields
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from l0.model.rule import Rule
from l0.rules import drift, guardrails
from l0.rules.drift.drift_rule import _DETECTORS, TYPES, Drift
from l0.rules.families import Family
from l0.rules.guardrails.catalogue import Guardrails
from l0.rules.structured.schema_rule import schema_rule

PAGE = Path(__file__).parents[3] / "docs" / "rules.md"
ARGUMENTS: dict[str, dict[str, Any]] = {"length_rule": {"minimum": 1}}
"""Arguments of the rules that cover no family without them."""
GUARDRAILS: tuple[Rule, ...] = tuple(
    getattr(Guardrails, name)(**ARGUMENTS.get(name, {})) for name in vars(Guardrails) if name.endswith("_rule")
)


def classes(package: ModuleType, marker: str) -> Iterator[type]:
    """Yield the public classes with an attribute ``marker`` that the modules of a package define."""
    for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        for name, value in vars(import_module(module.name)).items():
            defined_here = inspect.isclass(value) and value.__module__ == module.name and not name.startswith("_")
            if defined_here and hasattr(value, marker):
                yield value


def described() -> dict[Family, str]:
    """Return the docstrings of the families."""
    lines = [line.strip() for line in inspect.getsource(Family).splitlines()]
    return {family: lines[lines.index(f'{family.name} = "{family.value}"') + 1].strip('"') for family in Family}


def row(family: Family) -> str:
    """Return the row of a family: its defect, and the guardrails, drift types and schema rules that cover it."""
    only = {name: Drift(**{each: each == name for each in TYPES}) for name in TYPES}  # type: ignore[arg-type]
    schema = schema_rule({"type": "object"})
    covering = (
        [rule.name for rule in GUARDRAILS if family in getattr(rule, "covers", {})],
        [name for name, rule in only.items() if family in rule.covers],
        [schema.name for _ in "1" if family in schema.covers],
    )
    names = (", ".join(f"`{name}`" for name in sorted(each)) for each in covering)
    return "".join(f"| {cell} " if cell else "| " for cell in (f"`{family}`", described()[family], *names)) + "|"


@pytest.mark.parametrize("family", Family)
def test_table_has_the_row_that_the_rules_declare(family: Family) -> None:
    rows = [line for line in PAGE.read_text("utf-8").splitlines() if line.startswith(f"| `{family}`")]
    assert rows == [row(family)], f"the row of docs/rules.md should be: {row(family)}"


def test_table_has_no_family_that_is_gone() -> None:
    rows = [line.split("`")[1] for line in PAGE.read_text("utf-8").splitlines() if line.startswith("| `")]
    assert rows == list(Family)


def test_every_guardrail_of_the_folder_has_a_method_in_the_catalogue() -> None:
    found = set(classes(guardrails, "covers"))
    offered = {type(rule) for rule in GUARDRAILS}
    assert found - offered == set(), "add a method that ends in `_rule` to Guardrails (guardrails/catalogue.py)"


def test_every_guardrail_has_the_name_of_its_method() -> None:
    assert [f"{rule.name}_rule" for rule in GUARDRAILS] == [n for n in vars(Guardrails) if n.endswith("_rule")]


def test_every_detector_of_the_folder_has_an_entry_and_a_field() -> None:
    found = set(classes(drift, "MESSAGE"))
    assert found - set(_DETECTORS.values()) == set(), "add an entry to _DETECTORS (drift/drift_rule.py)"
    switches = [field.name for field in fields(Drift) if field.type == "bool"]
    assert switches == list(TYPES), "Drift needs one field per entry of _DETECTORS, in the same order"
