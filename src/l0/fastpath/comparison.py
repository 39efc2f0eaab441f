"""Compare two objects strictly, for the self-test of compiled code."""

from typing import Any

_SLOTS = ("__pydantic_fields_set__", "__pydantic_private__")


def difference(one: Any, other: Any, path: str = "") -> str | None:
    """Return a description of the first difference of two objects, or `None` if they are the same.

    This is stricter than `==`: it also compares exact types, the order of fields and keys, the sets of fields that are
    set, and extra fields. The description contains no value of the objects, because it is logged.
    """
    if type(one) is not type(other):
        return f"{path or 'the object'} is {type(one).__name__}, not {type(other).__name__}"
    if isinstance(one, dict):
        return _dicts(one, other, path)
    if isinstance(one, list):
        return _lists(one, other, path)
    if hasattr(type(one), "__pydantic_fields_set__"):
        return _models(one, other, path)
    if one == other or (one != one and other != other):  # noqa: PLR0124  NaN equals nothing, itself included
        return None
    return f"{path or 'the object'} has another value (type {type(one).__name__})"


def _dicts(one: dict[str, Any], other: dict[str, Any], path: str) -> str | None:
    if list(one) != list(other):
        return f"{path or 'the object'} has other keys, or has them in another order"
    return next((text for key in one if (text := difference(one[key], other[key], f"{path}.{key}"))), None)


def _lists(one: list[Any], other: list[Any], path: str) -> str | None:
    if len(one) != len(other):
        return f"{path or 'the object'} has {len(one)} items, not {len(other)}"
    pairs = enumerate(zip(one, other, strict=True))
    return next((text for index, pair in pairs if (text := difference(*pair, f"{path}[{index}]"))), None)


def _models(one: Any, other: Any, path: str) -> str | None:
    for slot in _SLOTS:
        mine, theirs = getattr(one, slot), getattr(other, slot)
        if type(mine) is not type(theirs) or mine != theirs:
            return f"{path or type(one).__name__}: {slot} differs"
    extras = difference(one.__pydantic_extra__, other.__pydantic_extra__, f"{path}+")
    return extras or _dicts(one.__dict__, other.__dict__, path)


def identity_map(result: Any, data: Any) -> Any:
    """Return True for a result that is the same object as ``data``, False for another object.

    For a copy of a dict or list, return a dict or list with the value for each item.
    """
    if result is data:
        return True
    if isinstance(result, dict) and isinstance(data, dict):
        return {key: identity_map(value, data.get(key)) for key, value in result.items()}
    if isinstance(result, list) and isinstance(data, list):
        return [identity_map(*pair) for pair in zip(result, data, strict=True)]
    return False
