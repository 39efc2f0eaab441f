"""Validate JSON with pydantic: models of versions 2 and 1, and all types that a `TypeAdapter` accepts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from l0.model.policy import PolicyError

from .decoding import loads
from .defect_words import listed, phrase_of
from .mismatch_place import declared_names, place_of
from .schema_results import MismatchError

_MISSING = frozenset({"missing", "value_error.missing"})
"""The type of the error for a missing member, in pydantic 2 and 1."""


def validator_of(thing: Any, allowed: str) -> Callable[[str], Any]:
    """Return a validator for a type. It returns the instance of a JSON text or raises `MismatchError`.

    pydantic converts values as it does by default: ``"12"`` is valid for an int.

    Raises:
        PolicyError: pydantic does not support this type.
        ImportError: pydantic is missing.
    """
    if hasattr(thing, "parse_obj") and not hasattr(thing, "model_validate"):
        return _validator_of_v1(thing)
    _require_pydantic_2()
    from pydantic import TypeAdapter, ValidationError
    from pydantic.errors import PydanticSchemaGenerationError, PydanticUserError

    try:
        adapter = thing if isinstance(thing, TypeAdapter) else TypeAdapter(thing)
    except (PydanticSchemaGenerationError, PydanticUserError) as error:
        raise PolicyError("Schema.of", thing, f"{allowed}; pydantic says: {error.message}") from None

    @cache
    def declared() -> frozenset[str]:
        return _declared_by(adapter)

    def validate(text: str) -> Any:
        try:
            return adapter.validate_json(text)
        except ValidationError as error:
            raise _mismatch(error.errors(include_url=False), text, declared()) from None

    return validate


def _declared_by(adapter: Any) -> frozenset[str]:
    """Return the names that a type declares; none if pydantic cannot describe the type by a JSON Schema."""
    from pydantic.json_schema import GenerateJsonSchema

    # Warnings, such as that of a default that JSON cannot express, are not for the user: the schema is used only here.
    silent = type("Silent", (GenerateJsonSchema,), {"emit_warning": lambda *_: None})
    try:
        return declared_names(adapter.json_schema(schema_generator=silent))
    except Exception:  # a type may define its own JSON Schema
        return frozenset()


def of_fields(fields: Mapping[str, Any]) -> Any:
    """Return a model with these members: each a type, or a pair of a type and a default."""
    _require_pydantic_2()
    from pydantic import create_model

    pairs: dict[str, Any] = {name: kind if isinstance(kind, tuple) else (kind, ...) for name, kind in fields.items()}
    return create_model("Object", **pairs)


def list_of(item: Any) -> Any:
    """Return the type of a list of one type."""
    return list[item]


def _validator_of_v1(model: Any) -> Callable[[str], Any]:
    def validate(text: str) -> Any:
        try:
            return model.parse_obj(loads(text))
        except ValueError as error:  # pydantic 1's ValidationError is a ValueError
            errors = getattr(error, "errors", None)
            if errors is None:
                raise
            raise _mismatch(errors(), text, _declared_by_v1(model)) from None

    return validate


def _declared_by_v1(model: Any) -> frozenset[str]:
    try:
        return declared_names(model.schema())
    except Exception:  # a type may define its own JSON Schema
        return frozenset()


def _mismatch(errors: Any, text: str, declared: frozenset[str]) -> MismatchError:
    """Return the error for a list of pydantic errors."""
    try:
        value = loads(text)
    except ValueError:  # pydantic accepts numbers that Python's parser does not
        value = None

    def place(error: Any) -> str:
        path = tuple(error["loc"])
        outer, absent = (path[:-1], str(path[-1])) if path and error["type"] in _MISSING else (path, "")
        return place_of(outer, value, declared, absent) if value is not None else ""

    first = errors[0]
    problem = listed((phrase_of(error["type"]), place(error)) for error in errors)
    return MismatchError(first["type"], tuple(first["loc"]), first["msg"], place(first), problem)


def _require_pydantic_2() -> None:
    try:
        import pydantic
    except ImportError as missing:
        raise ImportError('models need pydantic: pip install "l0-otel[structured]"') from missing
    if int(pydantic.VERSION.partition(".")[0]) < 2:
        raise ImportError('types need pydantic 2, pydantic 1 has only models: pip install "l0-otel[structured]"')
