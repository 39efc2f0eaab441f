"""Hostile schemas: an answer that cannot be checked in time is invalid, and the result says so."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from l0.model.policy import PolicyError
from l0.model.rule import Ending
from l0.rules.structured import json_schema
from l0.rules.structured.schema_results import Invalid, Parsed
from l0.rules.structured.schema_rule import schema_rule
from l0.rules.structured.schemas import Schema

EVIL = "^(?:a|aa)+$"
BAIT = "a" * 80 + "!"


def nested(depth: int, value: Any) -> Any:
    for _ in range(depth):
        value = [value]
    return value


BRANCHING = {"anyOf": [{"type": "array", "items": {"$ref": "#"}}, {"type": "array", "items": {"$ref": "#"}}]}
"""A schema with twice as many branches per level of an answer."""


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"pattern": EVIL}, BAIT),
        ({"type": "array", "items": {"pattern": EVIL}}, [BAIT] * 50),
        ({"patternProperties": {EVIL: {"type": "string"}}}, {BAIT: 1}),
        ({"patternProperties": {EVIL: {}}, "additionalProperties": False}, {BAIT: 1}),
        ({"propertyNames": {"pattern": EVIL}}, {BAIT: 1}),
        ({"not": {"pattern": EVIL}}, BAIT),
        ({"$schema": "http://json-schema.org/draft-07/schema#", "pattern": EVIL}, BAIT),
        (BRANCHING, nested(60, 1)),
        ({"oneOf": BRANCHING["anyOf"]}, nested(60, 1)),
        ({**BRANCHING, "unevaluatedItems": False}, nested(60, 1)),
    ],
)
def test_slow_schema_check_is_stopped(schema: dict[str, Any], value: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_schema, "CHECK_SECONDS", 0.05)
    text = json.dumps(value)
    verdict = Schema.of(schema).verdict(text, allow_repair=False)
    assert isinstance(verdict, Invalid)
    assert (verdict.checked, verdict.reason) == (False, "the check took longer than its budget of 50 ms")
    check = schema_rule(schema).check()
    (violation,) = [*check.feed(text), *check.finish(Ending())]
    assert violation.message == "the answer could not be checked: the check took longer than its budget of 50 ms"


def test_unique_items_are_found_by_hashing() -> None:
    schema = Schema.of({"uniqueItems": True})
    many: list[Any] = [{"a": [number]} for number in range(20_000)]
    alike = [number * (2**61 - 1) for number in range(20_000)]  # their own hashes are all the same
    for value in (many, alike):
        assert isinstance(schema.verdict(json.dumps(value)), Parsed)
        assert isinstance(schema.verdict(json.dumps([*value, value[7]])), Invalid)


_values = st.recursive(
    st.none() | st.booleans() | st.sampled_from([0, 1, 1.0, -1, 1.5, 1e300, "", "1", "a"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
    max_leaves=6,
)


@given(st.lists(_values, max_size=6))
def test_unique_items_match_jsonschema(value: list[Any]) -> None:
    expected = Draft202012Validator({"uniqueItems": True}).is_valid(value)
    assert isinstance(Schema.of({"uniqueItems": True}).verdict(json.dumps(value)), Parsed) == expected


@given(st.dictionaries(st.sampled_from(["a", "ab", "x1", "x"]), st.sampled_from([1, "s"])), st.booleans())
def test_pattern_properties_match_jsonschema(value: dict[str, Any], closed: bool) -> None:
    rest: Any = False if closed else {"type": "integer"}
    schema = {"properties": {"a": {}}, "patternProperties": {r"^x\d": {"type": "string"}}, "additionalProperties": rest}
    expected = Draft202012Validator(schema).is_valid(value)
    assert isinstance(Schema.of(schema).verdict(json.dumps(value)), Parsed) == expected


def deep(levels: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(levels):
        schema = {"type": "array", "items": schema}
    return schema


def test_unbounded_patterns_with_unevaluated_properties_are_rejected() -> None:
    loop: dict[str, Any] = {"type": "array"}
    loop["items"] = loop
    for schema in (deep(5_000), loop, {"patternProperties": {EVIL: {}}, "unevaluatedProperties": False}):
        with pytest.raises(PolicyError):
            Schema.of(schema)
    assert isinstance(Schema.of(deep(20)).verdict(json.dumps(nested(20, "x"))), Parsed)


@pytest.mark.parametrize("schema", [{"$ref": "#"}, {"allOf": [{"$ref": "#/$defs/a"}], "$defs": {"a": {"$ref": "#"}}}])
def test_infinitely_recursive_schema_is_handled(schema: dict[str, Any]) -> None:
    verdict = Schema.of(schema).verdict("[]")
    assert isinstance(verdict, Invalid)
    assert (verdict.checked, verdict.reason) == (False, "nested too deeply")
