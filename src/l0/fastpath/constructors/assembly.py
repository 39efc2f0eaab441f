"""Assemble the expressions of all fields into the function that creates an object: `constructed_models` for models that
the SDK builds without validation, `validated_values` for those that pydantic validates."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .annotations import IMMUTABLE
from .sdk_builder import SdkBuilder
from .source_scope import Scope, ShapeConstructor


def variables_of(keys: tuple[str, ...]) -> dict[str, str]:
    """Return the local variable for the value of each key."""
    return {key: f"v{index}" for index, key in enumerate(keys)}


def literal(scope: Scope, value: object) -> str:
    """Return an immutable value as source text."""
    # The repr of a float may be `inf`, which is a name, not a literal.
    return scope.bind(value) if type(value) is float else repr(value)


def is_shared(default: object) -> bool:
    """Return True if objects share this default; every other default is copied for each object."""
    return type(default) in IMMUTABLE


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """One shape of one class: the expressions for one tuple of JSON keys.

    `values` maps every field name to the expression of its value, in the order of the class. `extras` holds the keys of
    extra fields, `fields_set` the names of set fields.
    """

    model: type
    variables: Mapping[str, str]
    values: Mapping[str, str]
    extras: tuple[str, ...]
    fields_set: tuple[str, ...]

    def compile(self, scope: Scope, sdk: SdkBuilder) -> ShapeConstructor:
        """Return the function that builds this shape.

        It sets the four slots of the instance through pydantic's own slot descriptors, and uses dict and set displays.
        This is fast, because it calls neither `__init__` nor `__setattr__`.
        """
        bound: dict[str, Any] = {name: scope.bind(setter) for name, setter in sdk.setters.items()}
        new, model = scope.bind(object.__new__), scope.bind(self.model)
        values = ", ".join(f"{name!r}: {expression}" for name, expression in self.values.items())
        extras = ", ".join(f"{key!r}: {self.variables[key]}" for key in self.extras)
        fields_set = f"{{{', '.join(map(repr, self.fields_set))}}}" if self.fields_set else "set()"
        # All values are unpacked at once in key order, instead of one lookup per key: the shape fixes the order.
        unpack = f"{', '.join(self.variables.values())}, = data.values()" if self.variables else "pass"
        body = [
            unpack,
            f"made = {new}({model})",
            f"{bound['__dict__']}(made, {{{values}}})",
            f"{bound['__pydantic_extra__']}(made, {{{extras}}})",
            f"{bound['__pydantic_fields_set__']}(made, {fields_set})",
            f"{bound['__pydantic_private__']}(made, None)",
            "return made",
        ]
        return scope.function("data", body, self.model.__name__)
