"""Verdicts of every kind of schema, and the rule that asks for one."""

from __future__ import annotations

import builtins
import dataclasses
import sys
from collections.abc import Callable
from types import MappingProxyType
from typing import Any

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mutations import DOCUMENTS
from structured_kit import pieces
from typing_extensions import TypedDict

from l0.structured import json_schema
from l0.structured.edits import EditKind
from l0.structured.schema_rule import schema_rule
from l0.structured.schemas import Schema
from l0.structured.verdicts import Invalid, Parsed
from l0.values.policy import PolicyError
from l0.values.rules import Ending, Severity


class Item(pydantic.BaseModel):
    name: str
    count: int = 0


@dataclasses.dataclass
class PlainItem:
    name: str
    count: int = 0


class DictItem(TypedDict):
    name: str
    count: int


JSON_SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "count": {"$ref": "#/$defs/count"}},
    "required": ["name"],
    "$defs": {"count": {"type": "integer", "minimum": 0}},
}
GOOD = '{"name": "a", "count": 2}'


@pytest.mark.parametrize(
    ("thing", "value"),
    [
        (Item, Item(name="a", count=2)),
        (PlainItem, PlainItem(name="a", count=2)),
        (DictItem, {"name": "a", "count": 2}),
        (pydantic.TypeAdapter(Item), Item(name="a", count=2)),
        (JSON_SCHEMA, {"name": "a", "count": 2}),
        ({"type": "object"}, {"name": "a", "count": 2}),
        (dict[str, Any], {"name": "a", "count": 2}),
        (Schema.of(Item), Item(name="a", count=2)),
    ],
)
def test_a_valid_answer_is_a_value(thing: object, value: object) -> None:
    schema = Schema.of(thing)
    assert schema.verdict(GOOD) == Parsed(value=value, text=GOOD)
    assert schema.verdict(GOOD, mend=False) == Parsed(value=value, text=GOOD)


@pytest.mark.parametrize(
    ("thing", "text", "reason", "path"),
    [
        (Item, "{}", "missing", ("name",)),
        (Item, '{"name": "a", "count": "x"}', "int_parsing", ("count",)),
        (Item, "[]", "model_type", ()),
        (list[Item], '[{"name": "a"}, {"name": 1}]', "string_type", (1, "name")),
        (PlainItem, "{}", "missing", ("name",)),
        (DictItem, '{"name": "a"}', "missing", ("count",)),
        (JSON_SCHEMA, "{}", "required", ()),
        (JSON_SCHEMA, '{"name": "a", "count": -1}', "minimum", ("count",)),
        ({"type": "object"}, "[1]", "type", ()),
        (Item, "no JSON at all", "no JSON object or array", ()),
        (Item, '{"a":1}{"b":2}', "something follows the value", ()),
        (Item, '"\\ud800"', "json_invalid", ()),
    ],
)
def test_an_invalid_answer_says_why_and_where(
    thing: object, text: str, reason: str, path: tuple[str | int, ...]
) -> None:
    verdict = Schema.of(thing).verdict(text)
    assert isinstance(verdict, Invalid)
    assert (verdict.reason, verdict.path) == (reason, path)
    assert verdict.detail


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="models of pydantic 1 do not run on Python 3.14")
def test_models_of_pydantic_1_are_judged_by_themselves() -> None:
    from pydantic import v1

    class OldItem(v1.BaseModel):
        name: str
        count: int = 0

    schema = Schema.of(OldItem)
    assert schema.verdict(GOOD) == Parsed(value=OldItem(name="a", count=2), text=GOOD)
    verdict = schema.verdict("{}")
    assert isinstance(verdict, Invalid)
    assert (verdict.reason, verdict.path) == ("value_error.missing", ("name",))


def test_what_does_not_parse_is_repaired_unless_the_caller_forbids_it() -> None:
    schema = Schema.of(Item)
    text = 'Here: {"name": "a", "count": 2,}'
    verdict = schema.verdict(text)
    assert isinstance(verdict, Parsed)
    assert verdict.value == Item(name="a", count=2)
    assert [edit.kind for edit in verdict.edits] == [EditKind.PROSE, EditKind.EXTRA_COMMA]
    assert schema.verdict(text, mend=False) == Invalid(reason="not JSON", detail="the text is not JSON")
    mismatch = schema.verdict('{"count": 2,}')
    assert isinstance(mismatch, Invalid)
    assert [edit.kind for edit in mismatch.edits] == [EditKind.EXTRA_COMMA]


def test_members_and_items() -> None:
    made = Schema.of_fields({"name": str, "count": (int, 7)}).verdict('{"name": "a"}')
    assert isinstance(made, Parsed)
    assert made.value.model_dump() == {"name": "a", "count": 7}
    assert Schema.array_of(Item).verdict('[{"name":"a"}').value == [Item(name="a")]  # type: ignore[union-attr]
    items = Schema.array_of(JSON_SCHEMA)
    assert items.verdict(f"[{GOOD}]").value == [{"name": "a", "count": 2}]  # type: ignore[union-attr]
    assert items.verdict('[{"name":"a"},{"name":"a","count":-1}]').path == (1, "count")  # type: ignore[union-attr]


def test_equal_json_schemas_are_checked_once() -> None:
    assert Schema.of(JSON_SCHEMA).judge is Schema.of(dict(JSON_SCHEMA)).judge
    assert Schema.of(MappingProxyType(JSON_SCHEMA)).verdict(GOOD) == Schema.of(JSON_SCHEMA).verdict(GOOD)


class Unknown:
    pass


@pytest.mark.parametrize(
    "make",
    [
        lambda: Schema.of("Item"),
        lambda: Schema.of(None),
        lambda: Schema.of([Item]),
        lambda: Schema.of(3),
        lambda: Schema.of(Unknown),
        lambda: Schema.of({"type": "objekt"}),
        lambda: Schema.array_of({"type": "objekt"}),
        lambda: Schema.array_of(Schema.of(Item)),
        lambda: Schema.of({"$ref": "#/nowhere"}).verdict("[]"),
        lambda: Schema.of({"$ref": "https://example.com/schema.json"}).verdict("[]"),
    ],
)
def test_what_is_no_schema_is_refused(make: Callable[[], object]) -> None:
    with pytest.raises(PolicyError):
        make()


@pytest.mark.parametrize(("library", "thing"), [("pydantic", Item), ("jsonschema", JSON_SCHEMA)])
def test_a_missing_library_names_the_extra(monkeypatch: pytest.MonkeyPatch, library: str, thing: object) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any, **more: Any) -> Any:
        if name.partition(".")[0] == library:
            raise ImportError(name)
        return real(name, *rest, **more)

    json_schema._remembered.cache_clear()
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError, match=r'pip install "l0-otel\[structured\]"'):
        Schema.of(thing)
    assert isinstance(Schema.of({"type": "object"}).verdict("{}"), Parsed)


def test_deep_nesting_is_an_honest_no() -> None:
    verdict = Schema.of({"type": "object"}).verdict("[" * 100_000)
    assert isinstance(verdict, Invalid)
    assert verdict.reason == "nested too deeply"


def said(text: str, *, other: bool = False, cuts: list[int] | None = None) -> list[tuple[str, int]]:
    one = schema_rule(Item).check()
    found = [violation for piece in pieces(text, cuts or []) for violation in one.feed(piece)]
    found += one.finish(Ending(other=other))
    return [(violation.message, violation.at) for violation in found]


@pytest.mark.parametrize(
    ("text", "other", "expected"),
    [
        (GOOD, False, []),
        ("", True, []),
        ("", False, [("the answer holds no JSON", 0)]),
        ("{}", False, [("the answer does not fit the schema: missing", 2)]),
        ('{"name":"a",}', False, [("a key in double quotes was expected", 12)]),
        ('{"name":"a"', False, [("the answer ends inside of its JSON", 11)]),
        ("```json\n{}\n```", False, [("a value was expected", 0)]),
    ],
)
def test_the_rule_takes_an_answer_as_it_stands(text: str, other: bool, expected: list[tuple[str, int]]) -> None:
    assert said(text, other=other) == expected
    assert said(text, other=other, cuts=list(range(len(text)))) == expected


@pytest.mark.parametrize(
    ("text", "other", "expected"),
    [
        (GOOD, False, []),
        ('Here:\n```json\n{"name":"a",}\n```', False, []),
        ('{"name":"a"', False, []),
        (" ", True, []),
        (" ", False, [("the answer holds no JSON", 1)]),
        ('{"count":1', False, [("the answer does not fit the schema: missing", 10)]),
        ("I cannot.", False, [("the answer does not fit the schema: no JSON object or array", 9)]),
    ],
)
def test_the_rule_may_take_an_answer_as_a_repair_makes_it(
    text: str, other: bool, expected: list[tuple[str, int]]
) -> None:
    one = schema_rule(Item, mend=True).check()
    assert not [violation for piece in text for violation in one.feed(piece)]
    assert [(violation.message, violation.at) for violation in one.finish(Ending(other=other))] == expected


def test_the_rule_needs_the_whole_and_has_the_severity_it_was_given() -> None:
    rule = schema_rule(Item, severity=Severity.FATAL)
    assert (rule.name, rule.span, rule.severity) == ("schema", None, Severity.FATAL)
    (violation,) = rule.check().feed("no")
    assert violation.severity is Severity.FATAL


@given(st.sampled_from([GOOD, *DOCUMENTS]), st.integers(0, 80), st.lists(st.integers(0, 80), max_size=5))
def test_cuts_change_nothing(text: str, end: int, cuts: list[int]) -> None:
    assert said(text[:end], cuts=cuts) == said(text[:end])
