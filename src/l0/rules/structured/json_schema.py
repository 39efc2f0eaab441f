"""Validate JSON with JSON Schema by `jsonschema`. References resolve within the schema, never over the network.

A schema may come from an untrusted source, such as a tool server, and `jsonschema` has no limits: a ``pattern`` can
backtrack, a recursive ``anyOf`` branches without end, ``uniqueItems`` compares all pairs. So every keyword checks a
deadline first, patterns are searched by `bounded`, and equal items are found by hashing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextvars import ContextVar
from functools import lru_cache
from itertools import chain
from math import inf
from typing import Any

from l0.model.policy import PolicyError

from ..bounded_regex import OverrunError, Search, TimeBudget, bounded, can_take_long
from .decoding import loads
from .defect_words import listed, phrase_of
from .mismatch_place import declared_names, objects_in, place_of
from .schema_results import MismatchError, UncheckedError

Validate = Callable[[str], Any]
CHECK_SECONDS = 1.0
"""Time budget of a check, in seconds: once for every `_PER_BUDGET` characters of the text, rounded up."""
_PER_BUDGET = 100_000
_TOO_DEEP = "a schema that is nested less deeply and does not contain itself"
_budget: ContextVar[TimeBudget] = ContextVar("l0_schema_budget")
"""Budget of the running check, in a context variable since keyword functions get no arguments from L0.

A check neither waits nor yields, so no other check sees its budget.
"""


def validator_of(schema: Mapping[str, Any]) -> Validate:
    """Return a validator for a JSON Schema. It returns the value of a JSON text or raises `MismatchError`.

    The draft is the one that ``$schema`` names, else 2020-12. Compiling a schema takes milliseconds, and requests
    repeat their schemas, so the last 64 validators are cached.

    Raises:
        PolicyError: the schema is not a valid JSON Schema.
        ImportError: jsonschema is missing.
    """
    try:
        serialized = json.dumps(schema)
    except RecursionError:
        raise PolicyError("the JSON Schema", "an infinite schema", _TOO_DEEP) from None
    except (TypeError, ValueError):  # for example a Mapping that is not a dict
        return _compile(dict(schema))
    return _cached_validator(serialized)


@lru_cache(maxsize=64)
def _cached_validator(serialized: str) -> Validate:
    return _compile(json.loads(serialized))


def _compile(schema: dict[str, Any]) -> Validate:
    try:
        from jsonschema import Draft202012Validator, SchemaError
        from jsonschema.exceptions import best_match
        from jsonschema.validators import validator_for
        from referencing import Registry
        from referencing.exceptions import Unresolvable
    except ImportError as missing:
        raise ImportError('a JSON Schema needs jsonschema: pip install "l0-otel[structured]"') from missing

    validator_class = validator_for(schema, default=Draft202012Validator)
    try:
        validator_class.check_schema(schema)
        _check_patterns(schema)
    except SchemaError as error:
        place = "/".join(map(str, error.absolute_path))
        raise PolicyError(f"the JSON Schema, at /{place}", error.instance, _allowed(error)) from None
    except RecursionError:
        raise PolicyError("the JSON Schema", "a schema nested too deeply", _TOO_DEEP) from None
    validator = _with_budget(validator_class)(schema, registry=Registry())

    def validate(text: str) -> Any:
        value = loads(text)
        seconds = CHECK_SECONDS * max(1, -(-len(text) // _PER_BUDGET))
        token = _budget.set(TimeBudget(seconds))
        try:
            errors = list(validator.iter_errors(value))
            error = best_match(errors)
        except Unresolvable as unknown:
            raise PolicyError("the JSON Schema's references", unknown.ref, "references within the schema") from None
        except OverrunError as overrun:
            raise UncheckedError(f"the check {overrun}") from None
        finally:
            _budget.reset(token)
        if error is not None:
            raise _mismatch(error, errors, value, declared_names(schema))
        return value

    return validate


def _mismatch(error: Any, errors: Iterable[Any], value: Any, declared: Collection[str]) -> MismatchError:
    """Return the error for ``error``, which is one of ``errors`` or within it, and the others."""

    def defect_of(each: Any) -> tuple[str, str]:
        place = place_of(tuple(each.absolute_path), value, declared, _missing_name(each))
        return phrase_of(str(each.validator), each.validator_value), place

    outermost = error
    while outermost.parent is not None:
        outermost = outermost.parent
    others = (each for each in errors if each is not outermost)
    problem = listed(map(defect_of, chain([error], others)))
    _, place = defect_of(error)
    return MismatchError(str(error.validator), tuple(error.absolute_path), error.message, place, problem)


def _allowed(error: Any) -> str:
    """Return what the standard allows at the place of an error in a schema, without a quotation of the schema."""
    choices = next((each for each in (error, *(error.context or ())) if each.validator == "enum"), None)
    if choices is not None:  # the names of types, for example
        return "one of " + ", ".join(map(str, choices.validator_value))
    return f"a value with {json.dumps({error.validator: error.validator_value})}"


def _missing_name(error: Any) -> str:
    """Return the name of the member that ``required`` misses: the message of its error begins with it."""
    names = error.validator_value if error.validator == "required" else ()
    return next((name for name in names if error.message.startswith(f"{name!r} ")), "")


def _check_patterns(schema: Any) -> None:
    """Raise `PolicyError` for unbounded patterns, since jsonschema runs them itself for ``unevaluatedProperties``."""
    found = list(objects_in(schema))
    if not any("unevaluatedProperties" in each for each in found):
        return
    for each in found:
        patterns = each.get("patternProperties")
        for text in patterns if isinstance(patterns, dict) else ():
            if can_take_long(re.compile(text), 1_000):
                allowed = "a pattern that cannot take long, since the schema contains unevaluatedProperties"
                raise PolicyError("the JSON Schema's patternProperties", text, allowed)


@lru_cache(maxsize=16)
def _with_budget(validator_class: Any) -> Any:
    """Return a subclass whose keywords check the budget before they run, and search for patterns within it."""
    from jsonschema import validators

    extend: Any = validators.extend
    replacements = {
        "pattern": _pattern,
        "patternProperties": _pattern_properties,
        "additionalProperties": _additional_properties,
        "uniqueItems": _unique_items,
    }
    original = validator_class.VALIDATORS
    keywords = original | {name: function for name, function in replacements.items() if name in original}
    return extend(validator_class, {name: _timed(function) for name, function in keywords.items()})


def _timed(function: Any) -> Any:
    def keyword(validator: Any, value: Any, instance: Any, schema: Any) -> Any:
        _budget.get().remaining_s()  # raises if the budget is spent
        return function(validator, value, instance, schema)

    return keyword


def _pattern(validator: Any, pattern: str, instance: Any, schema: Any) -> Iterator[Any]:  # noqa: ARG001
    if validator.is_type(instance, "string") and not _matches(pattern, instance):
        yield _error(f"{instance!r} does not match {pattern!r}")


def _pattern_properties(validator: Any, patterns: Any, instance: Any, schema: Any) -> Iterator[Any]:  # noqa: ARG001
    if not validator.is_type(instance, "object"):
        return
    for pattern, subschema in patterns.items():
        for name, value in instance.items():
            if _matches(pattern, name):
                yield from validator.descend(value, subschema, path=name, schema_path=pattern)


def _additional_properties(validator: Any, allowed: Any, instance: Any, schema: Any) -> Iterator[Any]:
    if not validator.is_type(instance, "object"):
        return
    known, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
    extras = [name for name in instance if name not in known and not any(_matches(each, name) for each in patterns)]
    if validator.is_type(allowed, "object"):
        for name in extras:
            yield from validator.descend(instance[name], allowed, path=name)
    elif not allowed and extras:
        names = ", ".join(map(repr, sorted(extras)))
        yield _error(f"Additional properties are not allowed ({names})")


def _unique_items(validator: Any, wanted: Any, instance: Any, schema: Any) -> Iterator[Any]:  # noqa: ARG001
    if wanted and validator.is_type(instance, "array") and len(set(map(_identity, instance))) < len(instance):
        yield _error(f"{instance!r} has non-unique elements")


def _identity(value: Any) -> Any:
    """Return a hashable value that is equal for equal JSON: ``1`` equals ``1.0``, but not ``true``.

    Numbers become strings: their own hashes are predictable, so a list could be built whose hashes all collide.
    """
    if isinstance(value, dict):
        return frozenset((name, _identity(inner)) for name, inner in value.items()), "object"
    if isinstance(value, list):
        return tuple(map(_identity, value))
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int | float):
        whole = isinstance(value, int) or value.is_integer()
        return "number", f"{int(value):x}" if whole else repr(value)
    return value


def _matches(pattern: str, text: str) -> bool:
    return _compiled_search(pattern).search(text, _budget.get()) is not None


@lru_cache(maxsize=512)
def _compiled_search(text: str) -> Search:
    return bounded(re.compile(text), inf, "structured")


def _error(message: str) -> Any:
    from jsonschema import ValidationError

    return ValidationError(message)
