"""Validate answers against a schema: a pydantic model, a type that pydantic supports, or a JSON Schema.

The text is parsed first. It is repaired only if it does not parse and the caller allows a repair.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from l0.model.policy import PolicyError

from .decoding import loads
from .edits import Edit
from .repair import Unrepairable, is_json, repair_json
from .schema_results import Invalid, MismatchError, Parsed, UncheckedError

_ALLOWED = "a pydantic model, a type that pydantic knows (a dataclass, a TypedDict, list[...]), or a JSON Schema"


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """A schema. ``validate`` returns the value of a JSON text, or raises `MismatchError`."""

    name: str
    validate: Callable[[str], Any]

    @classmethod
    def of(cls, thing: object) -> Schema:
        """Return the schema of a pydantic model (2 or 1), a type, a `TypeAdapter` or a JSON Schema.

        Raises:
            PolicyError: ``thing`` is not a schema.
            ImportError: pydantic or jsonschema is needed and missing.
        """
        if isinstance(thing, Schema):
            return thing
        if isinstance(thing, Mapping):
            return _json_schema(thing)
        if thing is None or isinstance(thing, str | bytes | int | float | Sequence):
            raise PolicyError("Schema.of", thing, _ALLOWED)
        from . import pydantic_models

        return cls(name=getattr(thing, "__name__", "schema"), validate=pydantic_models.validator_of(thing, _ALLOWED))

    @classmethod
    def of_fields(cls, fields: Mapping[str, Any]) -> Schema:
        """Return the schema of an object with these members: each a type, or a pair of a type and a default."""
        from . import pydantic_models

        return cls(name="object", validate=pydantic_models.validator_of(pydantic_models.of_fields(fields), _ALLOWED))

    @classmethod
    def array_of(cls, item: object) -> Schema:
        """Return the schema of an array whose items match one schema. ``item``: anything that `of` accepts."""
        if isinstance(item, Mapping):  # a separate resource, so that its references resolve within it
            return _json_schema({"type": "array", "items": {"$id": "urn:l0:item", **item}})
        if isinstance(item, Schema):
            raise PolicyError("Schema.array_of", item, _ALLOWED)
        from . import pydantic_models

        return cls(name="array", validate=pydantic_models.validator_of(pydantic_models.list_of(item), _ALLOWED))

    def verdict(self, text: str, *, allow_repair: bool = True) -> Parsed | Invalid:
        """Validate an answer. ``allow_repair``: repair a text that does not parse. Do not repair tool arguments."""
        edits: tuple[Edit, ...] = ()
        if allow_repair:
            repaired = repair_json(text)
            if isinstance(repaired, Unrepairable):
                return Invalid(reason=repaired.reason, detail=f"{repaired.reason}, at character {repaired.at}")
            text, edits = repaired.text, repaired.edits
        elif not is_json(text):
            return Invalid(reason="not JSON", detail="the text is not JSON")
        try:
            return Parsed(value=self.validate(text), text=text, edits=edits)
        except MismatchError as mismatch:
            return Invalid(
                reason=mismatch.reason,
                path=mismatch.path,
                detail=mismatch.detail,
                edits=edits,
                checked=not isinstance(mismatch, UncheckedError),
                place=mismatch.place,
                problem=mismatch.problem,
            )
        except RecursionError:
            return Invalid(reason="nested too deeply", edits=edits, checked=False)


def _json_schema(schema: Mapping[str, Any]) -> Schema:
    if schema == {"type": "object"}:  # the schema of JSON mode needs no library
        return Schema(name="object", validate=_any_object)
    from . import json_schema

    title = schema.get("title")
    return Schema(name=title if isinstance(title, str) else "schema", validate=json_schema.validator_of(schema))


def _any_object(text: str) -> Any:
    value = loads(text)
    if not isinstance(value, dict):
        raise MismatchError("type", (), "the answer is not an object")
    return value
