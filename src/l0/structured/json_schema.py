"""Verdicts of JSON Schema, by `jsonschema`. References are resolved within the schema, never over the network."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from l0.values.policy import PolicyError

from .decoding import loads
from .verdicts import MismatchError

Judge = Callable[[str], Any]


def judge(schema: Mapping[str, Any]) -> Judge:
    """The value of a JSON text that fits the schema; the draft is the one that ``$schema`` names, else 2020-12.

    Checking a schema takes milliseconds, and requests bring the same one again and again: the last 64 are remembered.

    Raises:
        PolicyError: it is no JSON Schema.
        ImportError: jsonschema is missing.
    """
    try:
        written = json.dumps(schema)
    except (TypeError, ValueError):  # a Mapping that is no dict, say
        return _judge(dict(schema))
    return _remembered(written)


@lru_cache(maxsize=64)
def _remembered(written: str) -> Judge:
    return _judge(json.loads(written))


def _judge(schema: dict[str, Any]) -> Judge:
    try:
        from jsonschema import Draft202012Validator, SchemaError
        from jsonschema.exceptions import best_match
        from jsonschema.validators import validator_for
        from referencing import Registry
        from referencing.exceptions import Unresolvable
    except ImportError as missing:
        raise ImportError('a JSON Schema needs jsonschema: pip install "l0-otel[structured]"') from missing

    kind = validator_for(schema, default=Draft202012Validator)
    try:
        kind.check_schema(schema)
    except SchemaError as error:
        place = "/".join(map(str, error.absolute_path))
        raise PolicyError(f"the JSON Schema, at /{place}", error.instance, error.message) from None
    validator = kind(schema, registry=Registry())

    def judged(text: str) -> Any:
        value = loads(text)
        try:
            error = best_match(validator.iter_errors(value))
        except Unresolvable as unknown:
            raise PolicyError("the JSON Schema's references", unknown.ref, "those within the schema") from None
        if error is not None:
            raise MismatchError(str(error.validator), tuple(error.absolute_path), error.message)
        return value

    return judged
