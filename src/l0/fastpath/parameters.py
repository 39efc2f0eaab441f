"""Compiled transformation of request parameters: the same result as the SDK's, from the same annotations.

openai, and anthropic before version 2, inspect the annotations again for every value of every call, and try each member
of each union: 0.3 ms of CPU for one short message, 10 ms for a conversation of fifty. This module inspects the
annotations once, at the first use, and compiles them into one function per type. The SDK transforms data that is not
plain (files, dates, iterators, other mapping classes), and types that rename their keys.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from types import ModuleType
from typing import Any, TypedDict, get_args

from .comparison import difference, identity_map

Transform = Callable[[Any], Any]
Types = tuple[Any, ...]
"""The possible types of a value. The SDK tries the members of a union one after another."""

UNKNOWN = object()
"""The result of `Parameters.transformed` if the SDK must transform the data."""
MAX_TYPES = 4096
"""Maximum number of compiled types. It limits the memory of a program that creates new types for every call."""
_SCALARS = frozenset({str, int, float, bool, type(None)})
_log = logging.getLogger("l0")


class UnsupportedDataError(Exception):
    """The data is not plain, or its type is not supported. The SDK must transform it."""


class Parameters:
    """The compiled transformations of one SDK.

    Args:
        module: the SDK's ``_utils._transform``, not patched yet.
        types: the SDK's ``_types``.

    If a name is missing in these modules, or the transformation works in an unknown way, `unsupported` is the reason,
    and the SDK transforms all data.

    Every result that required compilation is compared with the SDK's result. If they differ, the SDK transforms this
    type from then on, and `switched_off` maps the type to the difference. Safe to share between threads.
    """

    def __init__(self, module: ModuleType, types: ModuleType | None) -> None:
        self._sdk: Any = module
        self._nodes: dict[tuple[int, ...], tuple[Types, Transform]] = {}
        self._compiled = 0
        self.switched_off: dict[str, str] = {}
        self.unsupported = self._probe(types)

    def transformed(self, data: Any, type_: Any) -> Any:
        """Return the same value as the SDK's ``transform(data, type_)``; `UNKNOWN` if the SDK must do it.

        The result shares the same parts with ``data`` as the SDK's result would.
        """
        if self.unsupported:
            return UNKNOWN
        before = self._compiled
        try:
            known = self._nodes.get((id(type_),))
            result = (self._node((type_,)) if known is None else known[1])(data)
        except (UnsupportedDataError, RecursionError):
            return UNKNOWN
        return result if self._compiled == before else self._compare(result, data, type_)

    def _compare(self, result: Any, data: Any, type_: Any) -> Any:
        """Return the result if it equals the SDK's. If not, switch the type off and return `UNKNOWN`."""
        wrong = difference(result, self._original(data, type_))
        if not wrong:
            return result
        self._nodes[id(type_),] = ((type_,), _left_to_sdk)
        self.switched_off[str(type_)] = wrong
        _log.warning("l0 leaves the parameters of %s to the SDK: %s", type_, wrong)
        return UNKNOWN

    def _node(self, types: Types) -> Transform:
        """Return the transformation of a value that may be any of ``types``."""
        # Keys are ids, because hashing and comparing annotations is slow, and not every annotation is hashable.
        key = tuple(map(id, types))
        known = self._nodes.get(key)
        if known is None:
            if len(self._nodes) >= MAX_TYPES:
                return _left_to_sdk
            self._count_compiled()
            # The types are kept alive, so that their ids are not reused.
            known = self._nodes[key] = (types, self._compile(types))
        return known[1]

    def _compile(self, types: Types) -> Transform:
        shape = _Shape()
        try:
            for type_ in types:
                self._add(type_, shape)
        except Exception:  # an unknown type, which the SDK may reject as well
            return _left_to_sdk
        items = self._node(shape.items) if shape.items else None
        children = _Children(shape, self._node, self._count_compiled)
        return _compiled(shape, children, items, self._omitted, self._dump)

    def _count_compiled(self) -> None:
        self._compiled += 1

    def _add(self, type_: Any, shape: _Shape) -> None:
        """Add the rules of one type to a shape. Raises `UnsupportedDataError` for a type that is not supported."""
        sdk = self._sdk
        bare = sdk.strip_annotated_type(type_)
        if sdk.is_typeddict(bare):
            hints = sdk.get_type_hints(bare, include_extras=True)
            if any(sdk._maybe_transform_key(name, hint) != name for name, hint in hints.items()):
                raise UnsupportedDataError
            shape.drops = True
            for name, hint in hints.items():
                shape.fields[name] = (*shape.fields.get(name, ()), hint)
        elif (sdk.get_origin(bare) or bare) is dict:
            shape.values += (get_args(bare)[1],)
        elif sdk.is_iterable_type(bare) or sdk.is_sequence_type(bare) or sdk.is_list_type(bare):
            shape.iterates = shape.iterates or sdk.is_iterable_type(bare)
            item = get_args(bare)[0]
            if not sdk._no_transform_needed(item):
                shape.items += (item,)
        elif sdk.is_union_type(bare):
            for member in get_args(bare):
                self._add(member, shape)

    def _dump(self, value: Any) -> Any:
        """Dump a pydantic model through the SDK. Raises `UnsupportedDataError` for any other object."""
        if not isinstance(value, self._model):
            raise UnsupportedDataError
        return self._original(value, object)

    def _probe(self, types: Any) -> str:
        """Return why the transformation of this SDK is not known; an empty text if it works as expected."""
        try:
            self._original: Callable[[Any, Any], Any] = self._sdk.transform
            self._model: type = self._sdk.pydantic.BaseModel
            self._omitted = frozenset({types.NotGiven, types.Omit})
            data = _sample(types.NotGiven())
            ours, theirs = self._node((_Probe,))(data), self._original(data, _Probe)
        except Exception as error:
            return f"the SDK's transformation of parameters is not known ({error!r})"
        wrong = difference(ours, theirs) or difference(identity_map(ours, data), identity_map(theirs, data))
        return f"the SDK's transformation of parameters is not known ({wrong})" if wrong else ""


class _Shape:
    """The combined rules of all types that a value may have.

    ``fields``: the types of the declared keys of a dict. ``values``: the types of all values of a dict. ``drops``: the
    SDK's markers for omitted values are removed from a dict. ``items``: the types of the items of a list. ``iterates``:
    any iterable is accepted in place of a list.
    """

    def __init__(self) -> None:
        self.fields: dict[str, Types] = {}
        self.values: Types = ()
        self.drops = False
        self.items: Types = ()
        self.iterates = False


class _Children(dict[Any, Transform]):
    """Transformations by key of a dict. They are compiled on first use, because types may refer to themselves."""

    def __init__(self, shape: _Shape, node: Callable[[Types], Transform], count_compiled: Callable[[], None]) -> None:
        self._shape = shape
        self._node = node
        self._count_compiled = count_compiled

    def __missing__(self, key: Any) -> Transform:
        declared = self._shape.fields.get(key, ())
        types = declared + self._shape.values
        if not types:
            return _as_is
        found = self._node(types)
        if declared:  # other keys may be any text from the user, so storing them would fill the memory
            self[key] = found
            self._count_compiled()
        return found


def _compiled(
    shape: _Shape, children: _Children, items: Transform | None, omitted: frozenset[type], dump: Transform
) -> Transform:
    # The result runs for every value of every request, so it reads the shape from closure variables, and handles plain
    # scalars without a call.
    copies, iterates = shape.drops or bool(shape.values), shape.iterates
    left_out: frozenset[type] = omitted if shape.drops else frozenset()

    def transform(value: Any) -> Any:
        kind = type(value)
        if kind in _SCALARS:
            return value
        if kind is dict:
            if not copies:
                return value
            copy = {}
            for key, each in value.items():
                kind = type(each)
                if kind in _SCALARS:
                    copy[key] = each
                elif kind not in left_out:
                    copy[key] = children[key](each)
            return copy
        if kind is list:
            return value if items is None else list(map(items, value))
        if iterates:
            raise UnsupportedDataError
        return dump(value)

    return transform


def _as_is(value: Any) -> Any:
    return value


def _left_to_sdk(value: Any) -> Any:  # noqa: ARG001 - same signature as the other transformations
    raise UnsupportedDataError


class _Part(TypedDict, total=False):
    text: str
    numbers: list[int]


class _Probe(TypedDict, total=False):
    text: str | list[str]
    parts: Iterable[_Part]
    several: Sequence[_Part] | _Part
    named: dict[str, _Part]
    anything: object
    left: str


def _sample(omitted: Any) -> dict[str, Any]:
    """Return a `_Probe` with parts that the SDK copies, parts that it shares, and parts that it omits."""
    return {
        "text": ["a"],
        "parts": [{"text": "b", "numbers": [1], "more": [{}]}],
        "several": [{"text": omitted}],
        "named": {"c": {"text": "d"}},
        "anything": {"e": [omitted]},
        "left": omitted,
        "unknown": {"f": {}},
    }
