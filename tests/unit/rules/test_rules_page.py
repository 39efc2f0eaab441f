"""The table in docs/rules.md says what the rules declare."""

from __future__ import annotations

import inspect
from pathlib import Path

from l0.model.rule import Rule
from l0.rules.drift.drift_rule import TYPES, Drift
from l0.rules.families import Family
from l0.rules.guardrails.catalogue import Guardrails
from l0.rules.structured.schema_rule import schema_rule

PAGE = Path(__file__).parents[3] / "docs" / "rules.md"
GUARDRAILS: tuple[Rule, ...] = (
    Guardrails.zero_output_rule(),
    Guardrails.json_rule(),
    Guardrails.length_rule(minimum=1),
    Guardrails.strict_json_rule(),
    Guardrails.markdown_rule(),
    Guardrails.latex_rule(),
    Guardrails.pattern_rule(),
    Guardrails.repetition_rule(),
    Guardrails.stall_rule(),
)


def drift_of_one_type(name: str) -> Drift:
    return Drift(**{each: each == name for each in TYPES})  # type: ignore[arg-type]


def described() -> dict[Family, str]:
    """Return the docstrings of the families."""
    lines = [line.strip() for line in inspect.getsource(Family).splitlines()]
    return {family: lines[lines.index(f'{family.name} = "{family.value}"') + 1].strip('"') for family in Family}


def declared(family: Family) -> tuple[set[str], ...]:
    """Return the names of the guardrails, drift types and schema rules that cover a family."""
    schema = schema_rule({"type": "object"})
    return (
        {rule.name for rule in GUARDRAILS if family in getattr(rule, "covers", {})},
        {name for name in TYPES if family in drift_of_one_type(name).covers},
        {schema.name for _ in "1" if family in schema.covers},
    )


def test_every_guardrail_is_known_here() -> None:
    makers = {name.removesuffix("_rule") for name in vars(Guardrails) if name.endswith("_rule")}
    assert {rule.name for rule in GUARDRAILS} == makers


def test_table_of_families_says_what_rules_declare() -> None:
    rows = [line.strip("|\n ").split("|") for line in PAGE.read_text("utf-8").splitlines() if line.startswith("| `")]
    cells = {Family(row[0].strip(" `")): [cell.strip() for cell in [*row[1:], "", ""]] for row in rows}
    assert set(cells) == set(Family)
    for family, (defect, *rules) in cells.items():
        named = tuple({name.strip("` ") for name in cell.split(",") if name} for cell in rules[:3])
        assert named == declared(family), family
        assert defect == described()[family]
