"""Reading type annotations, wherever they come from: aliases, `Annotated`, unions, literals. Knows no SDK."""

import types
from collections.abc import Sequence
from typing import Annotated, Any, Literal, Union, get_args, get_origin

# Values that pydantic shares between objects when they are a field's default; every other default is copied.
IMMUTABLE = (type(None), str, int, bool, float)

# JSON's own scalars that neither builder converts when the value already has exactly this type.
PLAIN_SCALARS = (str, int, bool)


class Unsupported(Exception):  # noqa: N818  a verdict on a type, not an error: the SDK's path is taken
    """This annotation, class or shape is left to the SDK; the text says why."""


def is_alias(annotation: object) -> bool:
    """Whether this is a type alias, from `typing` or from `typing_extensions` (two classes of one name)."""
    return type(annotation).__name__ == "TypeAliasType"


def is_union(annotation: object) -> bool:
    """Whether this is `Union[...]` or `X | Y`."""
    return get_origin(annotation) in (Union, types.UnionType)


def is_plain_class(annotation: object, base: type) -> bool:
    """Whether this is `base` or a subclass of it, and no subscripted alias."""
    return get_origin(annotation) is None and isinstance(annotation, type) and issubclass(annotation, base)


def anything(annotation: object) -> bool:
    """Whether every value fits unchanged."""
    return annotation is object or annotation is Any


def unwrap(annotation: object) -> tuple[object, tuple[object, ...]]:
    """The type below all aliases and `Annotated` layers, and the metadata found on the way."""
    metadata: tuple[object, ...] = ()
    while True:
        if is_alias(annotation):
            annotation = annotation.__value__  # type: ignore[attr-defined]
        elif get_origin(annotation) is Annotated:
            annotation, *found = get_args(annotation)
            metadata += tuple(found)
        else:
            return annotation, metadata


def members(union: object) -> list[tuple[object, tuple[object, ...]]]:
    """The members of a union and of the unions in it, unwrapped, each with its metadata."""
    found: list[tuple[object, tuple[object, ...]]] = []
    for member in get_args(union):
        bare, metadata = unwrap(member)
        found += [(inner, metadata + own) for inner, own in members(bare)] if is_union(bare) else [(bare, metadata)]
    return found


def string_literals(annotation: object) -> frozenset[str] | None:
    """The values of a `Literal` that lists strings only, else `None`."""
    if get_origin(annotation) is not Literal:
        return None
    values = get_args(annotation)
    return frozenset(values) if all(type(value) is str for value in values) else None


def discriminator(models: Sequence[object], base: type) -> tuple[str, dict[str, type]]:
    """The first field that tells these model classes apart, and the class that each of its values belongs to.

    The answer exists only if it is total and unique: every class requires the field, under its own name, and no two
    share a value. Then at most one of them can be valid for any given data.

    Raises:
        Unsupported: no field does, or one of them is no model class.
    """
    if not models or not all(is_plain_class(model, base) for model in models):
        raise Unsupported("a union of models and something else")
    for name in models[0].model_fields:  # type: ignore[attr-defined]
        try:
            return name, _owners(models, name)
        except Unsupported:
            continue
    raise Unsupported("no field tells the variants of the union apart")


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
        raise Unsupported(f"{model.__name__}.{name} is no literal")
    return values
