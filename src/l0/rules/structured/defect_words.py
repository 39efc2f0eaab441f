"""Describe the defects of an answer in words. They quote nothing of the answer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice

_MAX_DEFECTS = 3
"""Maximum number of defects that a message names."""
_PHRASES: Mapping[str, str] = {
    "missing": "missing value_error.missing required dependentRequired",
    "not a string": "string_type string_unicode type_error.str str_type",
    "not an integer": "int_type int_parsing int_parsing_size int_from_float type_error.integer",
    "not a number": "float_type float_parsing type_error.float",
    "not a finite number": "finite_number",
    "not a decimal number": "decimal_type decimal_parsing type_error.decimal",
    "not a boolean": "bool_type bool_parsing value_error.strictbool type_error.bool",
    "not an array": "list_type tuple_type set_type frozen_set_type type_error.list type_error.tuple type_error.set",
    "not an object": "dict_type model_type model_attributes_type dataclass_type mapping_type type_error.dict",
    "not null": "none_required type_error.none.allowed",
    "null": "type_error.none.not_allowed",
    "not one of the allowed values": "literal_error enum const value_error.const type_error.enum",
    "a key that is not allowed": "extra_forbidden unexpected_keyword_argument value_error.extra additionalProperties "
    "unevaluatedProperties propertyNames",
    "too short": "string_too_short minLength value_error.any_str.min_length",
    "too long": "string_too_long maxLength value_error.any_str.max_length",
    "a text that does not match its pattern": "string_pattern_mismatch pattern value_error.str.regex",
    "too few items": "too_short minItems minContains contains minProperties value_error.list.min_items",
    "too many items": "too_long maxItems maxContains maxProperties value_error.list.max_items",
    "too small": "greater_than greater_than_equal minimum exclusiveMinimum value_error.number.not_gt "
    "value_error.number.not_ge",
    "too large": "less_than less_than_equal maximum exclusiveMaximum value_error.number.not_lt "
    "value_error.number.not_le",
    "not a multiple of the given number": "multiple_of multipleOf value_error.number.not_multiple",
    "a repeated item": "uniqueItems",
    "none of the alternatives": "anyOf union_tag_invalid union_tag_not_found",
    "not exactly one of the alternatives": "oneOf",
    "a value that is not allowed": "not None",  # jsonschema has no keyword for the schema `false`
    "of a format that is not allowed": "format",
    "rejected by a validator": "value_error assertion_error",
    "not a date": "date_type date_parsing date_from_datetime_parsing date_from_datetime_inexact value_error.date",
    "not a date with time": "datetime_type datetime_parsing datetime_from_date_parsing datetime_object_invalid "
    "value_error.datetime",
    "not a time": "time_type time_parsing value_error.time",
    "not a URL": "url_type url_parsing url_scheme",
    "not a UUID": "uuid_type uuid_parsing uuid_version type_error.uuid",
    "not JSON": "json_invalid json_type",
}
_PHRASE_OF = {kind: phrase for phrase, kinds in _PHRASES.items() for kind in kinds.split()}
_JSON_TYPES = {"null": "null", "integer": "an integer", "array": "an array", "object": "an object"}


def phrase_of(kind: str, types: object = None) -> str:
    """Return the words for a kind of pydantic error or a keyword of JSON Schema; the kind itself if it has none.

    ``types``: the value of the keyword ``type``: the name of a type, or a list of names.
    """
    if kind == "type":
        names = [types] if isinstance(types, str) else types if isinstance(types, list) else []
        return "not " + (" or ".join(_JSON_TYPES.get(name, f"a {name}") for name in names) or "of the right type")
    return _PHRASE_OF.get(kind, kind)


def listed(defects: Iterable[tuple[str, str]]) -> str:
    """Return the first defects in words, such as ``missing at $.city, too small at $.ferries``.

    ``defects``: phrases and places. A defect at or within the place of an earlier one is left out: pydantic reports one
    for each member of a union.
    """
    by_place: dict[str, str] = {}
    for phrase, place in defects:
        if not any(_is_within(place, earlier) for earlier in by_place):
            by_place[place] = phrase
        if len(by_place) > _MAX_DEFECTS:
            break
    named = [f"{phrase} at {place}" if place else phrase for place, phrase in islice(by_place.items(), _MAX_DEFECTS)]
    return ", ".join(named) + (", and more" if len(by_place) > _MAX_DEFECTS else "")


def _is_within(place: str, outer: str) -> bool:
    return place == outer or (outer != "" and place.startswith((f"{outer}.", f"{outer}[")))
