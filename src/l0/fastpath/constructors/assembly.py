"""Generate the function that creates an object from the expressions of its fields.

`constructed_models` and `validated_values` make the expressions.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .annotations import IMMUTABLE
from .sdk_builder import SdkBuilder
from .source_scope import Scope, ShapeConstructor


def variables_of(keys: tuple[str, ...]) -> dict[str, str]:
    """Return the name of a local variable for the value of each key."""
    return {key: f"v{index}" for index, key in enumerate(keys)}


def literal(scope: Scope, value: object) -> str:
    """Return an immutable value as source text."""
    # Not `repr` for a float: it may be `inf`, which is a name, not a literal.
    return scope.bind(value) if type(value) is float else repr(value)


def is_shared(default: object) -> bool:
    """Return True if all objects share this default value. The SDK copies any other default value for each object."""
    return type(default) in IMMUTABLE


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The source of a constructor for one shape, which is a model class with one tuple of JSON keys.

    `variables`: the name of the variable with the value of each key. `values`: the expression for each field, by field
    name in the order of the class. `extras`: the keys of extra fields. `fields_set`: the names of set fields.
    """

    model: type
    variables: Mapping[str, str]
    values: Mapping[str, str]
    extras: tuple[str, ...]
    fields_set: tuple[str, ...]

    def compile(self, scope: Scope, sdk: SdkBuilder) -> ShapeConstructor:
        """Return the function that builds this shape.

        The function sets the four slots of the instance through pydantic's slot descriptors, because calls of
        `__init__` and `__setattr__` would be slower.
        """
        bound: dict[str, Any] = {name: scope.bind(setter) for name, setter in sdk.setters.items()}
        new, model = scope.bind(object.__new__), scope.bind(self.model)
        values = ", ".join(f"{name!r}: {expression}" for name, expression in self.values.items())
        extras = ", ".join(f"{key!r}: {self.variables[key]}" for key in self.extras)
        fields_set = f"{{{', '.join(map(repr, self.fields_set))}}}" if self.fields_set else "set()"
        # The shape fixes the order of the keys, so the values can be unpacked at once, without a lookup per key.
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
