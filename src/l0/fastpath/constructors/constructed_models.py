"""Generate code for models that the SDK fills in without validation: `construct()` and `construct_type()`.

The generated code does not raise. It passes a value that does not match its annotation to the SDK, which usually
returns the value unchanged.
"""

from collections.abc import Callable
from typing import Any, Literal, Protocol, get_args, get_origin

from .annotations import (
    PLAIN_SCALARS,
    Unsupported,
    is_anything,
    is_plain_class,
    is_union,
    members,
    string_literals,
    unwrap,
)
from .assembly import Layout, is_shared, literal, variables_of
from .rejected_values import RejectedValues
from .sdk_builder import SdkBuilder
from .source_scope import Scope, ShapeConstructor
from .validated_values import EXACT_FLOATS, Shapes, Validated


class SdkFallback(Protocol):
    """Creates functions that build a part of an object with the SDK. Each function takes the decoded JSON of the
    part."""

    def field(self, field: Any, key: str) -> Callable[[object], Any]:
        """Return the function for one model field with this JSON key."""
        ...

    def value(self, annotation: object) -> Callable[[object], Any]:
        """Return the function for a value of any annotation."""
        ...


class Constructed:
    """Generates expressions that build the same values as `construct_type`. They refer to the names of one scope."""

    def __init__(
        self,
        scope: Scope,
        sdk: SdkBuilder,
        shapes: Callable[[type], Shapes],
        validated: Validated,
        sdk_builds: SdkFallback,
    ) -> None:
        self._scope = scope
        self._sdk = sdk
        self._shapes = shapes
        self._validated = validated
        self._sdk_builds = sdk_builds

    def field(self, var: str, field: Any, key: str) -> str:
        """Return the expression for a model field with this JSON key, whose value is in the variable `var`."""
        fallback = self._scope.bind(self._sdk_builds.field(field, key))
        try:
            # With metadata on the field, `construct_type` does not unwrap an `Annotated` inside.
            if field.metadata and unwrap(field.annotation)[1]:
                raise Unsupported("metadata on two levels")
            built = self.expression(var, field.annotation, fallback, metadata=tuple(field.metadata))
        except Unsupported:
            return f"{fallback}({var})"
        default = self._sdk.default_of(field)
        if default is None and built == var:
            return var
        if not is_shared(default):  # the SDK copies it
            return f"({fallback}({var}) if {var} is None else {built})"
        return f"({literal(self._scope, default)} if {var} is None else {built})"

    def expression(
        self, var: str, annotation: object, fallback: str, depth: int = 0, metadata: tuple[object, ...] = ()
    ) -> str:
        """Return an expression for a value of this annotation in the variable `var`.

        `fallback`: the name of the function that builds the value with the SDK. `depth`: the number of enclosing lists
        and dicts, for the names of loop variables. `metadata`: that of the field; empty inside a field.

        Raises:
            Unsupported: only the SDK knows how to build this annotation.
        """
        bare = self._sdk.unwrap_once(annotation)
        if bare in PLAIN_SCALARS or is_anything(bare) or get_origin(bare) is Literal:
            return var  # the SDK passes every value through unchanged
        if bare is float:
            integer = f"float({var}) if type({var}) is int and {-EXACT_FLOATS} <= {var} <= {EXACT_FLOATS}"
            return f"({var} if type({var}) is float else {integer} else {fallback}({var}))"
        if is_plain_class(bare, self._sdk.base):
            # `type(x) is`, because JSON has no subclasses and `isinstance` is slower.
            shapes = self._scope.bind(self._shapes(bare))  # type: ignore[arg-type]
            return f"({shapes}[tuple({var})]({var}) if type({var}) is dict else {fallback}({var}))"
        if get_origin(bare) is list:
            return self._list(var, get_args(bare)[0], fallback, depth)
        if get_origin(bare) is dict:
            return self._dict(var, get_args(bare)[1], fallback, depth)
        if is_union(bare):
            return self._union(var, bare, fallback, metadata + unwrap(annotation)[1])
        raise Unsupported(f"values of {bare}")

    def _list(self, var: str, inner: object, fallback: str, depth: int) -> str:
        item, item_fallback = f"e{depth}", self._scope.bind(self._sdk_builds.value(inner))
        built = self.expression(item, inner, item_fallback, depth + 1)
        copied = f"list({var})" if built == item else f"[{built} for {item} in {var}]"
        if is_plain_class(self._sdk.unwrap_once(inner), self._sdk.base):
            # Most lists have one item (one choice, one tool call). Up to Python 3.11, a comprehension costs a call.
            single = self.expression(f"{var}[0]", inner, item_fallback, depth + 1)
            copied = f"([{single}] if len({var}) == 1 else {copied})"
        return f"({copied} if type({var}) is list else {fallback}({var}))"

    def _dict(self, var: str, inner: object, fallback: str, depth: int) -> str:
        item = f"e{depth}"
        built = self.expression(item, inner, self._scope.bind(self._sdk_builds.value(inner)), depth + 1)
        copied = f"dict({var})" if built == item else f"{{k{depth}: {built} for k{depth}, {item} in {var}.items()}}"
        return f"({copied} if type({var}) is dict else {fallback}({var}))"

    def _union(self, var: str, union: object, fallback: str, metadata: tuple[object, ...]) -> str:
        condition = self._passes(var, union)
        if condition is not None:
            return f"({var} if {condition} else {fallback}({var}))"
        # The expression calls a separate function, because only statements can contain `try`.
        built = self._validated.expression("data", union)
        rejected = self._rejected(union, fallback, metadata)
        body = ["try:", f"    return {built}", "except Rejected:", f"    return {rejected}(data)"]
        body += ["except Unmatched:", f"    return {fallback}(data)"]
        guarded = self._scope.function("data", body, "union")
        return f"{self._scope.bind(guarded)}({var})"

    def _rejected(self, union: object, fallback: str, metadata: tuple[object, ...]) -> str:
        """Return the name of the function that builds the value from data that pydantic rejects."""
        first, by_sdk = get_args(union)[0], self._scope.bound(fallback)
        try:
            if self._sdk.declared_discriminator(metadata):
                raise Unsupported("the SDK selects the variant by the discriminator")
            built = self.expression("data", first, self._scope.bind(self._sdk_builds.value(first)))
        except Unsupported:
            return fallback
        build = self._scope.function("data", [f"return {built}"], "rejected")
        return self._scope.bind(RejectedValues(build, by_sdk))

    def _passes(self, var: str, union: object) -> str | None:
        """Return the condition under which a union of scalars keeps a value unchanged; `None` for other unions."""
        found = members(union)
        if not all(self._sdk.is_ignored_by_pydantic(metadata) for _, metadata in found):
            return None
        kinds = [bare for bare, _ in found]
        if all(kind in (str, type(None)) or string_literals(kind) is not None for kind in kinds):
            # A string that is none of the literals is invalid, and the SDK returns invalid values unchanged.
            kinds = [kind if kind is type(None) else str for kind in kinds]
        conditions = [self._validated.unchanged(var, kind) for kind in kinds]
        return " or ".join(dict.fromkeys(filter(None, conditions))) if all(conditions) else None


def compile_constructed(
    model: type,
    keys: tuple[str, ...],
    sdk: SdkBuilder,
    shapes: tuple[Callable[[type], Shapes], Callable[[type], Shapes]],
    sdk_builds: SdkFallback,
) -> ShapeConstructor:
    """Return the function that builds the same object as `model.construct(**data)` from a dict with exactly these keys.

    `shapes`: functions that return the shapes of constructed and of validated models.
    """
    constructed, validated = shapes
    fields: dict[str, Any] = dict(model.model_fields)  # type: ignore[attr-defined]
    variables = variables_of(keys)
    scope = Scope()
    code = Constructed(scope, sdk, constructed, Validated(scope, sdk, validated), sdk_builds)
    values: dict[str, str] = {}
    fields_set: list[str] = []
    for name, field in fields.items():
        key = field.alias or name
        if key in variables:
            values[name] = code.field(variables[key], field, key)
            fields_set.append(name)
        else:
            values[name] = _default(scope, sdk, field)
    return Layout(
        model=model,
        variables=variables,
        values=values,
        # By field name, not by JSON key: the SDK also stores the key of an aliased field as an extra.
        extras=tuple(key for key in keys if key not in fields),
        fields_set=tuple(fields_set),
    ).compile(scope, sdk)


def _default(scope: Scope, sdk: SdkBuilder, field: Any) -> str:
    default = sdk.default_of(field)
    if is_shared(default):
        return literal(scope, default)
    default_of = sdk.default_of
    return f"{scope.bind(lambda: default_of(field))}()"  # called for each object, because the SDK copies the value
