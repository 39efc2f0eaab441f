"""What an answer must look like, and whether it does: pydantic models, types that pydantic knows, or JSON Schema.

A verdict parses first. Only a text that does not parse is repaired, and only where the caller lets it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from l0.values.policy import PolicyError

from .decoding import loads
from .edits import Edit
from .repair import Unrepairable, is_json, repair
from .verdicts import Invalid, MismatchError, Parsed, UncheckedError

_ALLOWED = "a pydantic model, a type that pydantic knows (a dataclass, a TypedDict, list[...]), or a JSON Schema"


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """A schema. ``judge`` gives the value of a JSON text, or raises `MismatchError`."""

    name: str
    judge: Callable[[str], Any]

    @classmethod
    def of(cls, thing: object) -> Schema:
        """The schema that a pydantic model (2 or 1), a type, a `TypeAdapter` or a JSON Schema describes.

        Raises:
            PolicyError: it describes none.
            ImportError: pydantic or jsonschema is needed and missing.
        """
        if isinstance(thing, Schema):
            return thing
        if isinstance(thing, Mapping):
            return _json_schema(thing)
        if thing is None or isinstance(thing, str | bytes | int | float | Sequence):
            raise PolicyError("Schema.of", thing, _ALLOWED)
        from . import models

        return cls(name=getattr(thing, "__name__", "schema"), judge=models.judge(thing, _ALLOWED))

    @classmethod
    def of_fields(cls, fields: Mapping[str, Any]) -> Schema:
        """An object with these members: a type each, or a pair of a type and a default."""
        from . import models

        return cls(name="object", judge=models.judge(models.of_fields(fields), _ALLOWED))

    @classmethod
    def array_of(cls, item: object) -> Schema:
        """An array whose items are all of one schema; ``item`` is what `of` takes."""
        if isinstance(item, Mapping):  # of its own resource, so that its references stay its own
            return _json_schema({"type": "array", "items": {"$id": "urn:l0:item", **item}})
        if isinstance(item, Schema):
            raise PolicyError("Schema.array_of", item, _ALLOWED)
        from . import models

        return cls(name="array", judge=models.judge(models.list_of(item), _ALLOWED))

    def verdict(self, text: str, *, mend: bool = True) -> Parsed | Invalid:
        """What an answer is worth. ``mend``: a text that does not parse may be repaired. Not for tool arguments."""
        edits: tuple[Edit, ...] = ()
        if mend:
            repaired = repair(text)
            if isinstance(repaired, Unrepairable):
                return Invalid(reason=repaired.why, detail=f"{repaired.why}, at character {repaired.at}")
            text, edits = repaired.text, repaired.edits
        elif not is_json(text):
            return Invalid(reason="not JSON", detail="the text is not JSON")
        try:
            return Parsed(value=self.judge(text), text=text, edits=edits)
        except MismatchError as mismatch:
            return Invalid(
                reason=mismatch.reason,
                path=mismatch.path,
                detail=mismatch.detail,
                edits=edits,
                checked=not isinstance(mismatch, UncheckedError),
            )
        except RecursionError:
            return Invalid(reason="nested too deeply", edits=edits, checked=False)


def _json_schema(schema: Mapping[str, Any]) -> Schema:
    if schema == {"type": "object"}:  # what "JSON mode" asks for needs no library
        return Schema(name="object", judge=_any_object)
    from . import json_schema

    title = schema.get("title")
    return Schema(name=title if isinstance(title, str) else "schema", judge=json_schema.judge(schema))


def _any_object(text: str) -> Any:
    value = loads(text)
    if not isinstance(value, dict):
        raise MismatchError("type", (), "the answer is not an object")
    return value
