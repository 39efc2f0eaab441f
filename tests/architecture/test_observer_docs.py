"""docs/observers.md has a row for every event, with every field, and its code runs."""

import re
from dataclasses import fields
from pathlib import Path
from typing import get_args

import pytest

import l0

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "observers.md").read_text(encoding="utf-8")
EVENTS = {kind.__name__: kind for kind in get_args(l0.types.CallEvent)}
ROWS = dict(re.findall(r"^\| `([A-Z]\w+)` \| (.*) \|$", PAGE, re.MULTILINE))


def test_page_has_every_event() -> None:
    assert sorted(ROWS) == sorted(EVENTS)


@pytest.mark.parametrize("name", EVENTS)
def test_row_has_every_field(name: str) -> None:
    named = set(re.findall(r"`(\w+)`", ROWS[name]))
    assert {field.name for field in fields(EVENTS[name])} - {"at"} <= named


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`([A-Z][a-z]\w+)(?:\.\w+)?(?:\(\w*\))?`", PAGE)) - {"None"}))
def test_class_is_public(name: str) -> None:
    assert name in l0.types.__all__


@pytest.mark.parametrize(("name", "field"), sorted(set(re.findall(r"`([A-Z][a-z]\w+)\.(\w+)`", PAGE)) - {"None"}))
def test_field_exists(name: str, field: str) -> None:
    assert hasattr(getattr(l0.types, name), field)
