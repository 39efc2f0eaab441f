"""Results of every kind of schema, and the schema rule."""

from __future__ import annotations

import builtins
import dataclasses
import sys
from collections.abc import Callable
from types import MappingProxyType
from typing import Annotated, Any, Literal

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mutations import DOCUMENTS
from structured_kit import pieces
from typing_extensions import TypedDict

from l0.model.policy import PolicyError
from l0.model.rule import LIMIT_REASONS, Ending, Severity
from l0.rules.families import Family
from l0.rules.structured import json_schema
from l0.rules.structured.edits import EditKind
from l0.rules.structured.schema_results import Invalid, Parsed
from l0.rules.structured.schema_rule import schema_rule
from l0.rules.structured.schemas import Schema


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
def test_valid_answer_is_parsed(thing: object, value: object) -> None:
    schema = Schema.of(thing)
    assert schema.verdict(GOOD) == Parsed(value=value, text=GOOD)
    assert schema.verdict(GOOD, allow_repair=False) == Parsed(value=value, text=GOOD)


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
        (Item, '{"a":1}{"b":2}', "extra text after the value", ()),
        (Item, '"\\ud800"', "json_invalid", ()),
    ],
)
def test_invalid_answer_has_a_reason_and_a_path(
    thing: object, text: str, reason: str, path: tuple[str | int, ...]
) -> None:
    verdict = Schema.of(thing).verdict(text)
    assert isinstance(verdict, Invalid)
    assert (verdict.reason, verdict.path) == (reason, path)
    assert verdict.detail


Ferry: Any = pydantic.create_model(
    "Ferry",
    __config__=pydantic.ConfigDict(extra="forbid"),
    seats=(int | list[int], 0),
    crew=(dict[str, Item], pydantic.Field(default={}, alias="the crew")),
)


class Image(pydantic.BaseModel):
    kind: Literal["image"]
    url: int


class Caption(pydantic.BaseModel):
    kind: Literal["caption"]
    image: str


class Gallery(pydantic.BaseModel):
    """pydantic adds ``image`` to the paths in its parts, which is a field of another class as well."""

    parts: list[Annotated[Image | Caption, pydantic.Field(discriminator="kind")]]


Harbour: Any = pydantic.create_model("Harbour", ferries=(list[Ferry], ...), count=(Callable[[], int], int))


def refuse(city: str) -> str:
    raise ValueError(f"{city} is not a city")


Checked: Any = pydantic.create_model(
    "Checked", city=(Annotated[str, pydantic.AfterValidator(refuse)], ...), ferries=(int, ...)
)


TREE = {
    "properties": {
        "city": {"type": "string"},
        "open hours": {"type": "array", "items": {"type": "integer"}},
        "ports": {"additionalProperties": {"$ref": "#"}},
        "either": {"anyOf": [{"required": ["left"]}, {"required": ["right"], "properties": {"right": {"minimum": 1}}}]},
    },
    "required": ["city", "ferries"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    ("thing", "text", "problem"),
    [
        (TREE, '{"city": "a"}', "missing at $.ferries"),
        (TREE | {"additionalProperties": True}, '{"city": 1, "ferries": 1}', "not a string at $.city"),
        (TREE | {"required": []}, '{"open hours": [1, "a"]}', 'not an integer at $["open hours"][1]'),
        (TREE | {"required": []}, '{"ports": {"my secret": {"city": 3}}}', "not a string at $.ports.*.city"),
        (TREE | {"required": []}, '{"either": {"right": 0}}', "too small at $.either.right"),
        (TREE | {"required": []}, '{"my secret": 1}', "a key that is not allowed"),
        ({"items": {"items": {"type": "null"}}}, "[[], [null, 1]]", "not null at $[1][1]"),
        (Ferry, '{"my secret": 1}', "a key that is not allowed at $.*"),
        (Ferry, '{"seats": "many"}', "not an integer at $.seats"),
        (Ferry, '{"seats": [1, "many"]}', "not an integer at $.seats"),
        (Ferry, '{"the crew": {"my secret": {}}}', 'missing at $["the crew"].*.name'),
        (list[Ferry], '[{}, {"seats": null}]', "not an integer at $[1].seats"),
        (dict[str, int], '{"my secret": "a"}', "not an integer at $.*"),
        (dict[int, int], '{"7": "a"}', "not an integer at $.*"),
        (tuple[int, str], "[1, 2]", "not a string at $[1]"),
        (PlainItem, '{"name": "a", "count": "x"}', "not an integer at $.count"),
        (Schema.of_fields({"name": str}), "{}", "missing at $.name"),
        (Harbour, '{"ferries": [{"crew": 1}]}', "a key that is not allowed at $.*[0].*"),
        (Gallery, '{"parts": [{"kind": "image", "url": "?"}]}', "not an integer at $.parts[0].url"),
        (Gallery, '{"parts": [{"kind": "image"}]}', "missing at $.parts[0].url"),
        (Item, '{"count": "x"}', "missing at $.name, not an integer at $.count"),
        (
            Checked,
            '{"city": "my secret", "ferries": null}',
            "rejected by a validator at $.city, not an integer at $.ferries",
        ),
        (JSON_SCHEMA, '{"count": -1}', "missing at $.name, too small at $.count"),
        (
            TREE | {"required": []},
            '{"either": {}, "city": 1}',
            "none of the alternatives at $.either, not a string at $.city",
        ),
        ({"properties": {"a": {"type": ["string", "null"]}}}, '{"a": 1}', "not a string or null at $.a"),
        (
            {"properties": {"a": {"oneOf": [{}, {"type": "null"}]}}},
            '{"a": null}',
            "not exactly one of the alternatives at $.a",
        ),
        ({"properties": {"a": {"not": {}}}}, '{"a": 1}', "a value that is not allowed at $.a"),
        ({"properties": {"a": False}}, '{"a": 1}', "a value that is not allowed"),
        (list[int], '["a", "b", "c"]', "not an integer at $[0], not an integer at $[1], not an integer at $[2]"),
        (
            list[int],
            '["a", "b", "c", "d"]',
            "not an integer at $[0], not an integer at $[1], not an integer at $[2], and more",
        ),
    ],
)
def test_invalid_answer_names_the_place_as_far_as_the_schema_declares_it(
    thing: object, text: str, problem: str
) -> None:
    verdict = Schema.of(thing).verdict(text)
    assert isinstance(verdict, Invalid)
    assert verdict.problem == problem
    assert verdict.flaw == f"does not fit the schema: {problem}"


def test_place_ends_after_some_steps() -> None:
    verdict = Schema.of({"$ref": "#/$defs/a", "$defs": {"a": {"type": "array", "items": {"$ref": "#/$defs/a"}}}})
    found = verdict.verdict("[" * 30 + "1" + "]" * 30)
    assert isinstance(found, Invalid)
    assert found.place == "$" + "[0]" * 20


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="models of pydantic 1 do not run on Python 3.14")
def test_pydantic_1_models_validate_answers() -> None:
    from pydantic import v1

    class OldItem(v1.BaseModel):
        name: str
        count: int = 0

    schema = Schema.of(OldItem)
    assert schema.verdict(GOOD) == Parsed(value=OldItem(name="a", count=2), text=GOOD)
    verdict = schema.verdict("{}")
    assert isinstance(verdict, Invalid)
    assert (verdict.reason, verdict.path, verdict.place) == ("value_error.missing", ("name",), "$.name")


def test_schema_repairs_broken_json_only_if_allowed() -> None:
    schema = Schema.of(Item)
    text = 'Here: {"name": "a", "count": 2,}'
    verdict = schema.verdict(text)
    assert isinstance(verdict, Parsed)
    assert verdict.value == Item(name="a", count=2)
    assert [edit.kind for edit in verdict.edits] == [EditKind.PROSE, EditKind.EXTRA_COMMA]
    assert schema.verdict(text, allow_repair=False) == Invalid(reason="not JSON", detail="the text is not JSON")
    mismatch = schema.verdict('{"count": 2,}')
    assert isinstance(mismatch, Invalid)
    assert [edit.kind for edit in mismatch.edits] == [EditKind.EXTRA_COMMA]


def test_schema_of_fields_and_array_of() -> None:
    made = Schema.of_fields({"name": str, "count": (int, 7)}).verdict('{"name": "a"}')
    assert isinstance(made, Parsed)
    assert made.value.model_dump() == {"name": "a", "count": 7}
    assert Schema.array_of(Item).verdict('[{"name":"a"}').value == [Item(name="a")]  # type: ignore[union-attr]
    items = Schema.array_of(JSON_SCHEMA)
    assert items.verdict(f"[{GOOD}]").value == [{"name": "a", "count": 2}]  # type: ignore[union-attr]
    assert items.verdict('[{"name":"a"},{"name":"a","count":-1}]').path == (1, "count")  # type: ignore[union-attr]


def test_equal_json_schemas_share_a_validator() -> None:
    assert Schema.of(JSON_SCHEMA).validate is Schema.of(dict(JSON_SCHEMA)).validate
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
def test_invalid_schemas_are_rejected(make: Callable[[], object]) -> None:
    with pytest.raises(PolicyError):
        make()


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        (
            {"properties": {"city": {"type": "objekt"}}},
            (
                "the JSON Schema, at /properties/city/type: got 'objekt', "
                "allowed: one of array, boolean, integer, null, number, object, string"
            ),
        ),
        ({"items": 5}, 'the JSON Schema, at /items: got 5, allowed: a value with {"type": ["object", "boolean"]}'),
        ({"minLength": -1}, 'the JSON Schema, at /minLength: got -1, allowed: a value with {"minimum": 0}'),
    ],
)
def test_error_of_an_invalid_schema_says_what_is_wrong_and_where(schema: dict[str, Any], message: str) -> None:
    with pytest.raises(PolicyError) as caught:
        Schema.of(schema)
    assert str(caught.value) == message


@pytest.mark.parametrize(("library", "thing"), [("pydantic", Item), ("jsonschema", JSON_SCHEMA)])
def test_missing_schema_library_error_names_the_extra(
    monkeypatch: pytest.MonkeyPatch, library: str, thing: object
) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any, **more: Any) -> Any:
        if name.partition(".")[0] == library:
            raise ImportError(name)
        return real(name, *rest, **more)

    json_schema._cached_validator.cache_clear()
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError, match=r'pip install "l0-otel\[structured\]"'):
        Schema.of(thing)
    assert isinstance(Schema.of({"type": "object"}).verdict("{}"), Parsed)


def test_deeply_nested_answer_is_invalid() -> None:
    verdict = Schema.of({"type": "object"}).verdict("[" * 100_000)
    assert isinstance(verdict, Invalid)
    assert verdict.reason == "nested too deeply"


def violations(text: str, *, other: bool = False, cuts: list[int] | None = None) -> list[tuple[str, int]]:
    one = schema_rule(Item).check()
    found = [violation for piece in pieces(text, cuts or []) for violation in one.feed(piece)]
    found += one.finish(Ending(has_other_content=other))
    return [(violation.message, violation.at) for violation in found]


@pytest.mark.parametrize(
    ("text", "other", "expected"),
    [
        (GOOD, False, []),
        ("", True, []),
        ("", False, [("the answer contains no JSON", 0)]),
        ("{}", False, [("the answer does not fit the schema: missing at $.name", 2)]),
        ('{"name":"a",}', False, [("a key in double quotes was expected", 12)]),
        ('{"name":"a"', False, [("the answer ends before its JSON is complete", 11)]),
        ("```json\n{}\n```", False, [("a value was expected", 0)]),
    ],
)
def test_schema_rule_checks_the_unchanged_answer(text: str, other: bool, expected: list[tuple[str, int]]) -> None:
    assert violations(text, other=other) == expected
    assert violations(text, other=other, cuts=list(range(len(text)))) == expected


@pytest.mark.parametrize(
    ("text", "other", "expected"),
    [
        (GOOD, False, []),
        ('Here:\n```json\n{"name":"a",}\n```', False, []),
        ('{"name":"a"', False, []),
        (" ", True, []),
        (" ", False, [("the answer contains no JSON", 1)]),
        ('{"count":1', False, [("the answer does not fit the schema: missing at $.name", 10)]),
        ("I cannot.", False, [("the answer does not fit the schema: no JSON object or array", 9)]),
    ],
)
def test_schema_rule_checks_the_repaired_answer(text: str, other: bool, expected: list[tuple[str, int]]) -> None:
    one = schema_rule(Item, allow_repair=True).check()
    assert not [violation for piece in text for violation in one.feed(piece)]
    assert [(violation.message, violation.at) for violation in one.finish(Ending(has_other_content=other))] == expected


@pytest.mark.parametrize("allow_repair", [True, False], ids=["repaired", "unchanged"])
@pytest.mark.parametrize("reason", sorted(LIMIT_REASONS))
@pytest.mark.parametrize("text", ["", '{"name": "a', '{"name": "a"', '{"name": "a", "count": 1', '{"name": "a",'])
def test_answer_that_its_limit_cut_is_fatal(text: str, reason: str, allow_repair: bool) -> None:
    check = schema_rule(Item, allow_repair=allow_repair).check()
    assert not check.feed(text)
    (violation,) = check.finish(Ending(finish_reason=reason))
    assert violation.severity is Severity.FATAL
    assert violation.message == (
        f'the answer reached the length limit (finish reason "{reason}") before the JSON was complete; '
        "a retry with the same limit would not help"
    )


@pytest.mark.parametrize("reason", ["content_filter", "SAFETY", "refusal", "content_filtered"])
def test_answer_that_a_filter_cut_is_an_error(reason: str) -> None:
    check = schema_rule(Item, allow_repair=True).check()
    check.feed('{"name": "a')
    (violation,) = check.finish(Ending(finish_reason=reason))
    assert violation.severity is Severity.ERROR
    assert violation.message == (
        f'the answer stopped at a filter (finish reason "{reason}") before the JSON was complete'
    )


@pytest.mark.parametrize(("text", "reason"), [(GOOD, "length"), ('{"name": "a"', "stop"), ('{"name": "a"', "")])
def test_complete_answer_and_answer_that_the_model_ended_are_not_cut(text: str, reason: str) -> None:
    check = schema_rule(Item, allow_repair=True).check()
    check.feed(text)
    assert not check.finish(Ending(finish_reason=reason))


@pytest.mark.parametrize("allow_repair", [True, False], ids=["repaired", "unchanged"])
def test_blank_answer_that_its_limit_cut_is_empty_as_well(allow_repair: bool) -> None:
    check = schema_rule(Item, allow_repair=allow_repair).check()
    check.feed(" \n")
    (violation,) = check.finish(Ending(finish_reason="length"))
    assert violation.families == {Family.JSON, Family.EMPTY}


@pytest.mark.parametrize("allow_repair", [True, False], ids=["repaired", "unchanged"])
def test_reasoning_that_reached_the_limit_before_any_json_is_fatal(allow_repair: bool) -> None:
    check = schema_rule(Item, allow_repair=allow_repair).check()
    (violation,) = check.finish(Ending(has_other_content=True, finish_reason="length"))
    assert violation.severity is Severity.FATAL


def test_schema_rule_that_only_warns_of_a_cut_answer_does_not_end_the_call() -> None:
    check = schema_rule(Item, severity=Severity.WARNING).check()
    check.feed('{"name": "a')
    assert [found.severity for found in check.finish(Ending(finish_reason="length"))] == [Severity.WARNING]


def test_schema_rule_has_no_span_and_uses_its_severity() -> None:
    rule = schema_rule(Item, severity=Severity.FATAL)
    assert (rule.name, rule.span, rule.severity) == ("schema", None, Severity.FATAL)
    (violation,) = rule.check().feed("no")
    assert violation.severity is Severity.FATAL


@given(st.sampled_from([GOOD, *DOCUMENTS]), st.integers(0, 80), st.lists(st.integers(0, 80), max_size=5))
def test_schema_rule_ignores_chunk_boundaries(text: str, end: int, cuts: list[int]) -> None:
    assert violations(text[:end], cuts=cuts) == violations(text[:end])
