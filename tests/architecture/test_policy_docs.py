"""docs/policy.md has a row for every policy field, with its default, unit and variable."""

import re
from dataclasses import MISSING, Field, fields
from enum import EnumType
from pathlib import Path
from types import UnionType
from typing import Literal, Union, get_args, get_origin, get_type_hints

import pytest

from l0.model import policy_from_environment
from l0.model.policy import (
    BackoffStrategy,
    CheckIntervals,
    ErrorTypeDelays,
    Fallback,
    Hedge,
    Hold,
    Policy,
    Retry,
    Timeout,
)

PAGE = Path(__file__).resolve().parents[2] / "docs" / "policy.md"
KINDS = (Policy, Timeout, Retry, ErrorTypeDelays, Hold, CheckIntervals, Fallback, Hedge)
FIELDS = [(kind, field) for kind in KINDS for field in fields(kind)]
SOURCE = PAGE.parents[1] / "src" / "l0"
UNITS = {"", "ms", "s", "retries", "events", "characters", "deltas"}


def rows(kind: type) -> dict[str, list[str]]:
    """Return the rows of the table under the heading of a class: the other cells, by the first."""
    section = re.search(rf"^## `{kind.__name__}`.*?(?=^## |\Z)", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    lines = section[0].splitlines() if section else []
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines if line.startswith("| `")]
    return {name.strip("`"): rest for name, *rest in cells}


def default(field: "Field[object]") -> str:
    """Return a default as the page writes it."""
    value = field.default
    if field.name == "retry_on":
        return "all"
    if value is MISSING:
        return ""
    if isinstance(value, tuple):
        return "none"
    return f"`{value!s}`" if isinstance(value, str) else f"`{value!r}`"


def variables() -> dict[str, str]:
    """Return the environment variable of each field that has one."""
    return {found.field: found.name for found in policy_from_environment._variables(Policy, "L0_", ())}


@pytest.mark.parametrize(("kind", "field"), FIELDS, ids=lambda value: getattr(value, "__name__", None) or value.name)
def test_policy_field_has_a_row_in_the_docs(kind: type, field: "Field[object]") -> None:
    found = rows(kind)
    assert field.name in found, f"docs/policy.md has no row for {kind.__name__}.{field.name}"
    meaning, shown, unit, variable = found[field.name]
    name = variables().get(f"{kind.__name__}.{field.name}")
    assert meaning.endswith(".")
    assert (shown, variable) == (default(field), f"`{name}`" if name else "")
    assert unit in UNITS


def choices(kind: type, field: "Field[object]") -> list[str]:
    """Return the values that the type of a field lists, as a literal or an enumeration."""
    hint = get_type_hints(kind)[field.name]
    parts = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    literals = [value for part in parts if get_origin(part) is Literal for value in get_args(part)]
    members = [member for part in parts if isinstance(part, EnumType) for member in part]
    return [str(value) for value in (*literals, *members)]


@pytest.mark.parametrize(
    ("kind", "field"),
    [(kind, field) for kind, field in FIELDS if choices(kind, field)],
    ids=lambda value: getattr(value, "__name__", None) or value.name,
)
def test_row_of_a_policy_field_names_its_choices(kind: type, field: "Field[object]") -> None:
    meaning = rows(kind)[field.name][0]
    missing = [value for value in choices(kind, field) if f"`{value}`" not in meaning]
    assert missing == [], f"docs/policy.md does not name these values of {kind.__name__}.{field.name}"


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_docs_name_no_field_that_is_gone(kind: type) -> None:
    assert set(rows(kind)) == {field.name for field in fields(kind)}


def test_every_part_of_a_policy_has_a_table() -> None:
    parts = {policy_from_environment._nested_dataclass(kind, field.name) for kind, field in FIELDS} - {None}
    assert parts <= set(KINDS)


@pytest.mark.parametrize(
    "kind", [kind for kind in KINDS if kind is not ErrorTypeDelays], ids=lambda kind: kind.__name__
)
def test_every_policy_field_has_an_effect(kind: type) -> None:
    """`error_type_delay` reads the fields of ErrorTypeDelays by the name of an error."""
    files = (file for file in SOURCE.rglob("*.py") if file.name != "policy.py")
    code = "\n".join(file.read_text("utf-8") for file in files)
    unread = [field.name for field in fields(kind) if not re.search(rf"\.{field.name}\b", code)]
    assert unread == [], f"nothing outside of model/policy.py reads these fields of {kind.__name__}"


def test_docs_name_the_other_variables() -> None:
    page = PAGE.with_name("variables.md").read_text()
    assert [name for name in {"L0_POLICY", *policy_from_environment._OTHER_VARIABLES} if f"`{name}`" not in page] == []


def test_guide_has_the_formula_of_every_backoff_strategy() -> None:
    guide = PAGE.with_name("guide.md").read_text()
    found = set(re.findall(r"^\| `([A-Z_]+)`[^|]*\| `base_delay", guide, re.MULTILINE))
    assert found == {strategy.name for strategy in BackoffStrategy}
