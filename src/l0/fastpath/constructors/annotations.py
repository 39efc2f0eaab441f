"""Inspect type annotations: aliases, `Annotated`, unions, literals. Independent of any SDK."""

import types
from collections.abc import Sequence
from typing import Annotated, Any, Literal, Union, get_args, get_origin

# Types of default values that pydantic shares between objects. It copies all other default values.
IMMUTABLE = (type(None), str, int, bool, float)

# Types of JSON scalars that neither kind of constructor converts if the value has exactly this type.
PLAIN_SCALARS = (str, int, bool)


class Unsupported(Exception):  # noqa: N818  not an error: the SDK builds objects of this type
    """No constructor supports this annotation, class or shape, so the SDK builds it. The message is the reason."""


def is_alias(annotation: object) -> bool:
    """Return True for a type alias of `typing` or `typing_extensions` (two classes with the same name)."""
    return type(annotation).__name__ == "TypeAliasType"


def is_union(annotation: object) -> bool:
    """Return True for `Union[...]` and `X | Y`."""
    return get_origin(annotation) in (Union, types.UnionType)


def is_plain_class(annotation: object, base: type) -> bool:
    """Return True for `base` and its subclasses, but not for a subscripted generic such as `Base[int]`."""
    return get_origin(annotation) is None and isinstance(annotation, type) and issubclass(annotation, base)


def is_anything(annotation: object) -> bool:
    """Return True if the annotation accepts every value unchanged: `object` or `Any`."""
    return annotation is object or annotation is Any


def unwrap(annotation: object) -> tuple[object, tuple[object, ...]]:
    """Return the type inside all aliases and `Annotated` layers, and the metadata of these layers."""
    metadata: tuple[object, ...] = ()
    while True:
        if is_alias(annotation):
            annotation = annotation.__value__  # type: ignore[attr-defined]
        elif get_origin(annotation) is Annotated:
            annotation, *added = get_args(annotation)
            metadata += tuple(added)
        else:
            return annotation, metadata


def members(union: object) -> list[tuple[object, tuple[object, ...]]]:
    """Return the members of a union and of nested unions, unwrapped, each with its metadata."""
    found: list[tuple[object, tuple[object, ...]]] = []
    for member in get_args(union):
        bare, metadata = unwrap(member)
        found += [(inner, metadata + own) for inner, own in members(bare)] if is_union(bare) else [(bare, metadata)]
    return found


def string_literals(annotation: object) -> frozenset[str] | None:
    """Return the values of a `Literal` of strings, or `None` for any other annotation."""
    if get_origin(annotation) is not Literal:
        return None
    values = get_args(annotation)
    return frozenset(values) if all(type(value) is str for value in values) else None


def discriminator(models: Sequence[object], base: type) -> tuple[str, dict[str, type]]:
    """Return the first field that discriminates these model classes, and the class for each value of the field.

    Every class must require the field under its own name, and no two classes may share a value. Then at most one class
    can be valid for the same data.

    Raises:
        Unsupported: there is no such field, or a member is not a model class.
    """
    if not models or not all(is_plain_class(model, base) for model in models):
        raise Unsupported("a union of models and other types")
    for name in models[0].model_fields:  # type: ignore[attr-defined]
        try:
            return name, _owners(models, name)
        except Unsupported:
            continue
    raise Unsupported("no field discriminates the variants of the union")


def _owners(models: Sequence[Any], name: str) -> dict[str, type]:
    owners: dict[str, type] = {}
    for model in models:
        found: dict[str, type] = {value: model for value in _discriminating_values(model, name)}  # noqa: C420  typed
        if not owners.keys().isdisjoint(found):
            raise Unsupported(f"two variants share a value of {name!r}")
        owners |= found
    return owners


def _discriminating_values(model: Any, name: str) -> frozenset[str]:
    field = model.model_fields.get(name)
    if field is None or field.alias or field.validation_alias or not field.is_required():
        raise Unsupported(f"{model.__name__} has no required field {name!r}")
    values = string_literals(unwrap(field.annotation)[0])
    if values is None:
        raise Unsupported(f"{model.__name__}.{name} is not a literal")
    return values
