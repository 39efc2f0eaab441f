"""Generate code for values of a union, which the SDK validates with pydantic.

Pydantic converts values that do not match ("1" to 1), and selects the member of the union that matches best. The
compiled code does neither. It accepts only data whose types match the annotation exactly, at all levels: validation
would convert nothing in such data, and at most one member of a union matches. For other data the code raises
`Unmatched`, and pydantic validates it.

If a required key is missing, the code raises `Rejected`. No conversion can add the key, so pydantic would reject the
data, too. No other member of a union accepts it, because none accepts the same discriminating value.
"""

from collections.abc import Callable, Mapping
from typing import Any, get_args, get_origin

from .annotations import (
    PLAIN_SCALARS,
    Unsupported,
    discriminator,
    is_anything,
    is_plain_class,
    is_union,
    members,
    string_literals,
    unwrap,
)
from .assembly import Layout, is_shared, literal, variables_of
from .sdk_builder import SdkBuilder
from .source_scope import Scope, ShapeConstructor, Unmatched, rejected

Shapes = Mapping[tuple[str, ...], ShapeConstructor]
"""Constructors by key tuple. A lookup never fails: for a missing shape it returns a function that compiles the
shape."""

# Integers up to this size have an exact float. Pydantic validates larger ones.
EXACT_FLOATS = 2**53


class Validated:
    """Generates expressions that build the same values as validation. They refer to the names of one scope."""

    def __init__(self, scope: Scope, sdk: SdkBuilder, shapes: Callable[[type], Shapes]) -> None:
        self._scope = scope
        self._sdk = sdk
        self._shapes = shapes

    def field(self, var: str, field: Any) -> str:
        """Return the expression for a model field, whose value is in the variable `var`."""
        try:
            return self.expression(var, field.annotation, tuple(field.metadata))
        except Unsupported:
            return "unmatched()"

    def expression(self, var: str, annotation: object, metadata: tuple[object, ...] = (), depth: int = 0) -> str:
        """Return an expression that builds a value of this annotation from the variable `var`, or raises `Unmatched`.

        Raises:
            Unsupported: only pydantic knows how to validate this annotation.
        """
        bare, found = unwrap(annotation)
        metadata += found
        if not self._sdk.is_ignored_by_pydantic(metadata):
            raise Unsupported(f"metadata {metadata}")
        if is_anything(bare):
            return var
        condition = self.unchanged(var, bare)
        if condition is not None:
            return f"({var} if {condition} else unmatched())"
        if bare is float:
            return f"({var} if type({var}) is float else {self._scope.bind(_as_float)}({var}))"
        return self._structured(var, bare, depth)

    def _structured(self, var: str, bare: object, depth: int) -> str:
        if is_union(bare):
            return self._union(var, bare, depth)
        if is_plain_class(bare, self._sdk.base):
            return _only_if(var, "dict", self._model(var, bare))
        if get_origin(bare) is list:
            return _only_if(var, "list", self._list(var, get_args(bare)[0], depth))
        if get_origin(bare) is dict:
            return _only_if(var, "dict", self._dict(var, get_args(bare), depth))
        raise Unsupported(f"values of {bare}")

    def unchanged(self, var: str, annotation: object) -> str | None:
        """Return the condition under which a value is valid unchanged; `None` if the annotation is no plain scalar
        type."""
        if annotation in PLAIN_SCALARS:
            return f"type({var}) is {annotation.__name__}"
        if annotation is type(None):
            return f"{var} is None"
        literals = string_literals(annotation)
        if literals is not None:
            return f"(type({var}) is str and {var} in {self._scope.bind(literals)})"
        return None

    def _model(self, var: str, model: object) -> str:
        shapes = self._scope.bind(self._shapes(model))  # type: ignore[arg-type]
        return f"{shapes}[tuple({var})]({var})"

    def _list(self, var: str, inner: object, depth: int) -> str:
        item = f"e{depth}"
        return f"[{self.expression(item, inner, (), depth + 1)} for {item} in {var}]"

    def _dict(self, var: str, inner: tuple[object, ...], depth: int) -> str:
        keys, values = inner
        if keys is not str:
            raise Unsupported(f"a dict with keys of {keys}")
        key, item = f"k{depth}", f"e{depth}"
        return f"{{{key}: {self.expression(item, values, (), depth + 1)} for {key}, {item} in {var}.items()}}"

    def _union(self, var: str, union: object, depth: int) -> str:
        """Return the expression for a union: it selects a member by the exact type of the value, and a model by a
        field."""
        conditions: list[str] = []
        kinds: dict[str, list[object]] = {"number": [], "list": [], "dict": []}
        for bare, metadata in members(union):
            if not self._sdk.is_ignored_by_pydantic(metadata):
                raise Unsupported(f"metadata {metadata}")
            if bare in (int, bool, float):
                kinds["number"].append(bare)
            condition = f"type({var}) is float" if bare is float else self.unchanged(var, bare)
            if condition is not None:
                conditions.append(condition)
            elif get_origin(bare) is list:
                kinds["list"].append(bare)
            elif get_origin(bare) is dict or is_plain_class(bare, self._sdk.base):
                kinds["dict"].append(bare)
            else:
                raise Unsupported(f"a union with {bare}")
        # An integer becomes a float only if float is the only number type of the union.
        built = f"{self._scope.bind(_as_float)}({var})" if kinds.pop("number") == [float] else "unmatched()"
        for name, found in kinds.items():
            expression = self._one_of(var, found, depth)
            if expression is not None:
                built = f"({expression} if type({var}) is {name} else {built})"
        return f"({var} if {' or '.join(conditions)} else {built})" if conditions else built

    def _one_of(self, var: str, kinds: list[object], depth: int) -> str | None:
        """Return the expression for a list or dict of one of these types; `None` if nothing shows which type it has."""
        try:
            if len(kinds) == 1:
                return self.expression(var, kinds[0], (), depth)
            name, owners = discriminator(kinds, self._sdk.base)
        except Unsupported:
            return None
        return f"{self._scope.bind(_router(name, owners, self._shapes))}({var})"


def _only_if(var: str, type_name: str, expression: str) -> str:
    return f"({expression} if type({var}) is {type_name} else unmatched())"


def _as_float(value: object) -> float:
    if type(value) is int and -EXACT_FLOATS <= value <= EXACT_FLOATS:
        return float(value)
    raise Unmatched


def _router(name: str, owners: Mapping[str, type], shapes: Callable[[type], Shapes]) -> ShapeConstructor:
    """Return a function that builds the variant that the field `name` selects."""
    variants: dict[object, Shapes] = {}
    for value, model in owners.items():
        try:
            variants[value] = shapes(model)
        except Unsupported:  # pydantic validates this variant
            continue

    def build(data: dict[str, Any]) -> Any:
        value = data.get(name)
        variant = variants.get(value) if type(value) is str else None
        if variant is None:
            raise Unmatched
        return variant[tuple(data)](data)

    return build


def compile_validated(
    model: type, keys: tuple[str, ...], sdk: SdkBuilder, shapes: Callable[[type], Shapes]
) -> ShapeConstructor:
    """Return the function that builds the same object as `model.model_validate(data)` from a dict with exactly these
    keys.

    Raises:
        Unsupported: validation of such a dict needs more than exact types.
    """
    fields: dict[str, Any] = dict(model.model_fields)  # type: ignore[attr-defined]
    variables = variables_of(keys)
    scope = Scope()
    code = Validated(scope, sdk, shapes)
    wire_names = {name: field.alias or name for name, field in fields.items()}
    extras = tuple(key for key in keys if key not in wire_names.values())
    if any(field.is_required() and wire_names[name] not in variables for name, field in fields.items()):
        return rejected
    if not fields.keys().isdisjoint(extras):
        raise Unsupported("an extra key with the name of an aliased field")
    return Layout(
        model=model,
        variables=variables,
        values={
            name: code.field(variables[wire_names[name]], field)
            if wire_names[name] in variables
            else literal(scope, _default(name, field))
            for name, field in fields.items()
        },
        extras=extras,
        # Validation adds extras to the set fields, `construct()` does not; `model_dump(exclude_unset=True)` uses the
        # set.
        fields_set=(*(name for name in fields if wire_names[name] in variables), *extras),
    ).compile(scope, sdk)


def _default(name: str, field: Any) -> object:
    if field.default_factory is not None or not is_shared(field.default):
        raise Unsupported(f"the default of field {name!r} is created for each object")
    return field.default
