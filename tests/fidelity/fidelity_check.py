"""Check that an object equals the SDK's in every way that a user could notice."""

import copy
import pickle
import warnings
from collections.abc import Callable
from typing import Any

_SLOTS = ("__pydantic_fields_set__", "__pydantic_private__", "__pydantic_extra__")


def structure(theirs: Any, ours: Any, shared: frozenset[int] = frozenset(), path: str = "$") -> str | None:
    """The first difference in type, order, set fields, extras, private attributes, values, or sharing.

    `shared` holds the ids of all containers in the input: what the SDK copies must be copied, and what it shares may
    be shared.
    """
    if type(theirs) is not type(ours):
        return f"{path}: {type(theirs)} became {type(ours)}"
    if isinstance(theirs, dict | list) and (id(theirs) in shared or id(ours) in shared) and theirs is not ours:
        return f"{path}: one is the input's own object and the other a copy"
    if hasattr(type(theirs), "__pydantic_fields_set__"):
        names = (*_SLOTS, "__dict__")
        return _first(structure(getattr(theirs, name), getattr(ours, name), shared, f"{path}.{name}") for name in names)
    if isinstance(theirs, dict | list):
        return _container(theirs, ours, shared, path)
    if theirs == ours or (theirs != theirs and ours != ours):  # noqa: PLR0124  NaN
        return None
    return f"{path}: {theirs!r} became {ours!r}"


def _container(theirs: Any, ours: Any, shared: frozenset[int], path: str) -> str | None:
    mine, yours = (list(found) if isinstance(found, dict) else list(range(len(found))) for found in (theirs, ours))
    if mine != yours:
        return f"{path}: keys or indices {mine} became {yours}"
    return _first(structure(theirs[key], ours[key], shared, f"{path}[{key!r}]") for key in mine)


def behaviour(theirs: Any, ours: Any) -> str | None:
    """The first difference in what a user can do with the object: repr, dumps, equality, copies, pickles."""
    if not hasattr(theirs, "model_dump"):
        return None
    views: dict[str, Callable[[Any], Any]] = {
        "repr": repr,
        "model_dump": lambda m: m.model_dump(),
        "model_dump(exclude_unset)": lambda m: m.model_dump(exclude_unset=True, by_alias=True),
        "model_dump_json": lambda m: m.model_dump_json(),
        "iter": lambda m: [name for name, _ in m],
        "copy": copy.copy,
        "deepcopy": copy.deepcopy,
        "model_copy": lambda m: m.model_copy(update={"id": 1}),
        "pickle": lambda m: pickle.loads(pickle.dumps(m)),
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydantic warns of odd values, for either object
        for name, view in views.items():
            found = structure(_outcome(view, theirs), _outcome(view, ours), path=name)
            if found:
                return found
        equal = repr(theirs == ours), repr(theirs == theirs)  # noqa: PLR0124  False with a NaN inside
        return (
            f"== is {equal[0]}, of the SDK's with itself {equal[1]}"
            if equal[0] != equal[1] and "nan" not in repr(ours)
            else None
        )


def containers(data: Any) -> frozenset[int]:
    """The ids of all dicts and lists in this data."""
    found: set[int] = set()
    waiting = [data]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict | list):
            found.add(id(value))
            waiting.extend(value.values() if isinstance(value, dict) else value)
    return frozenset(found)


def _outcome(view: Callable[[Any], Any], model: Any) -> Any:
    try:
        return view(model)
    except Exception as error:
        return type(error)


def _first(found: Any) -> str | None:
    return next(filter(None, found), None)
