"""Every rule of the folders is in its catalogue, so that users and the table in docs/rules.md get it."""

from __future__ import annotations

import inspect
import pkgutil
import runpy
from collections.abc import Iterator
from dataclasses import fields
from importlib import import_module
from pathlib import Path
from types import ModuleType

from l0.model.rule import Rule
from l0.rules import drift, guardrails
from l0.rules.drift.drift_rule import _DETECTORS, TYPES, Drift
from l0.rules.guardrails.catalogue import Guardrails

RULES_PAGE = Path(__file__).parents[3] / "docs" / "rules.md"
DOCS_TABLES = runpy.run_path(str(Path(__file__).parents[3] / "scripts" / "docs_tables.py"))
GUARDRAILS: tuple[Rule, ...] = DOCS_TABLES["guardrails"]()


def classes(package: ModuleType, marker: str) -> Iterator[type]:
    """Yield the public classes with an attribute ``marker`` that the modules of a package define."""
    for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        for name, value in vars(import_module(module.name)).items():
            defined_here = inspect.isclass(value) and value.__module__ == module.name and not name.startswith("_")
            if defined_here and hasattr(value, marker):
                yield value


def test_every_guardrail_of_the_folder_has_a_method_in_the_catalogue() -> None:
    found = set(classes(guardrails, "covers"))
    offered = {type(rule) for rule in GUARDRAILS}
    assert found - offered == set(), "add a method that ends in `_rule` to Guardrails (guardrails/catalogue.py)"


def test_every_guardrail_has_the_name_of_its_method() -> None:
    assert [f"{rule.name}_rule" for rule in GUARDRAILS] == [n for n in vars(Guardrails) if n.endswith("_rule")]


def test_rules_page_has_the_fields_of_drift_with_their_defaults() -> None:
    section = RULES_PAGE.read_text("utf-8").partition("\n## Drift\n")[2].partition("\n## ")[0]
    rows = [
        [cell.strip(" `") for cell in line.split("|")[1:4]] for line in section.splitlines() if line.startswith("| `")
    ]
    assert [(name, shown) for name, _, shown in rows] == [(field.name, str(field.default)) for field in fields(Drift)]


def test_every_detector_of_the_folder_has_an_entry_and_a_field() -> None:
    found = set(classes(drift, "MESSAGE"))
    assert found - set(_DETECTORS.values()) == set(), "add an entry to _DETECTORS (drift/drift_rule.py)"
    switches = [field.name for field in fields(Drift) if field.type == "bool"]
    assert switches == list(TYPES), "Drift needs one field per entry of _DETECTORS, in the same order"
