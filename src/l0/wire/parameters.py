"""A request's parameters as they go into its body: the SDK's own transformation, compiled from the same annotations.

openai, and anthropic before its 2, search the annotations anew for every value of every call, and try each member of
each union: 0.3 ms of CPU for one short message, 10 ms for a conversation of fifty. What the annotations say of plain
data is found out once here, when it is first met, and is then one function a type. What is not plain data (files,
dates, iterators, mappings of other makes), and a type that renames its keys, is left to the SDK.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from types import ModuleType
from typing import Any, TypedDict, get_args

from l0.wire.construct.comparison import difference, shared

Transform = Callable[[Any], Any]
Types = tuple[Any, ...]
"""What a value may be: the members of a union, each of which the SDK tries in turn."""

UNKNOWN = object()
"""What `Parameters.transformed` gives where the SDK has to do it."""
MAX_TYPES = 4096
"""A program that makes up new types for every call must not be remembered for ever."""
_SCALARS = frozenset({str, int, float, bool, type(None)})
_log = logging.getLogger("l0")


class ForeignError(Exception):
    """Not plain data, or of no type that is known here."""


class Parameters:
    """The compiled transformations of one SDK.

    Args:
        module: its ``_utils._transform``, not patched yet.
        types: its ``_types``.

    Where these lack a name, or the module does anything else than is known here, `unsupported` says so, and all is left
    to the SDK.

    A result for which anything had to be compiled is compared with the SDK's own; a type whose result differs is left
    to the SDK from then on, and stands in `switched_off`. Safe to share between threads.
    """

    def __init__(self, module: ModuleType, types: ModuleType | None) -> None:
        self._sdk: Any = module
        self._nodes: dict[tuple[int, ...], tuple[Types, Transform]] = {}
        self._compiled = 0
        self.switched_off: dict[str, str] = {}
        self.unsupported = self._probe(types)

    def transformed(self, data: Any, type_: Any) -> Any:
        """What the SDK's ``transform(data, type_)`` returns, sharing with ``data`` what that shares; or `UNKNOWN`."""
        if self.unsupported:
            return UNKNOWN
        before = self._compiled
        try:
            result = self._node((type_,))(data)
        except (ForeignError, RecursionError):
            return UNKNOWN
        return result if self._compiled == before else self._compared(result, data, type_)

    def _compared(self, result: Any, data: Any, type_: Any) -> Any:
        wrong = difference(result, self._original(data, type_))
        if not wrong:
            return result
        self._nodes[id(type_),] = ((type_,), _foreign)
        self.switched_off[str(type_)] = wrong
        _log.warning("l0 leaves the parameters of %s to the SDK: %s", type_, wrong)
        return UNKNOWN

    def _node(self, types: Types) -> Transform:
        """The transformation of a value that may be any of ``types``."""
        key = tuple(map(id, types))
        known = self._nodes.get(key)
        if known is None:
            if len(self._nodes) >= MAX_TYPES:
                return _foreign
            self._note()
            known = self._nodes[key] = (types, self._compile(types))  # the types stay, lest an id comes again
        return known[1]

    def _compile(self, types: Types) -> Transform:
        shape = _Shape()
        try:
            for one in types:
                self._add(one, shape)
        except Exception:  # a type of a kind that the SDK itself may refuse
            return _foreign
        items = self._node(shape.items) if shape.items else None
        children = _Children(shape, self._node, self._note)
        return _function(shape, children, items, self._omitted, self._dump)

    def _note(self) -> None:
        self._compiled += 1

    def _add(self, type_: Any, shape: _Shape) -> None:
        """What a value of the type goes through. Raises `ForeignError` for what is not known here."""
        sdk = self._sdk
        bare = sdk.strip_annotated_type(type_)
        if sdk.is_typeddict(bare):
            hints = sdk.get_type_hints(bare, include_extras=True)
            if any(sdk._maybe_transform_key(name, hint) != name for name, hint in hints.items()):
                raise ForeignError
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
        """A pydantic model, which the SDK dumps wherever it meets one."""
        if not isinstance(value, self._model):
            raise ForeignError
        return self._original(value, object)

    def _probe(self, types: Any) -> str:
        """Why this SDK is another one than is known here; empty where it is not."""
        try:
            self._original: Callable[[Any, Any], Any] = self._sdk.transform
            self._model: type = self._sdk.pydantic.BaseModel
            self._omitted = frozenset({types.NotGiven, types.Omit})
            data = _sample(types.NotGiven())
            ours, theirs = self._node((_Probe,))(data), self._original(data, _Probe)
        except Exception as error:
            return f"its transformation of parameters is not known ({error!r})"
        wrong = difference(ours, theirs) or difference(shared(ours, data), shared(theirs, data))
        return f"its transformation of parameters is not known ({wrong})" if wrong else ""


class _Shape:
    """What a value goes through, whatever number of types asks for it.

    ``fields``, ``values``: the types below the keys of a dict that are declared, and below all of them. ``drops``: what
    is not given is left out. ``items``: the types below a list. ``iterates``: takes whatever can be iterated.
    """

    def __init__(self) -> None:
        self.fields: dict[str, Types] = {}
        self.values: Types = ()
        self.drops = False
        self.items: Types = ()
        self.iterates = False


class _Children(dict[Any, Transform]):
    """By key of a dict: what its value goes through. Compiled when it is needed, for types refer to themselves."""

    def __init__(self, shape: _Shape, node: Callable[[Types], Transform], grew: Callable[[], None]) -> None:
        self._shape = shape
        self._node = node
        self._grew = grew

    def __missing__(self, key: Any) -> Transform:
        declared = self._shape.fields.get(key, ())
        types = declared + self._shape.values
        if not types:
            return _as_is
        found = self._node(types)
        if declared:
            self[key] = found
            self._grew()
        return found


def _function(
    shape: _Shape, children: _Children, items: Transform | None, omitted: frozenset[type], dump: Transform
) -> Transform:
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
            return value if items is None else [items(each) for each in value]
        if iterates:
            raise ForeignError
        return dump(value)

    return transform


def _as_is(value: Any) -> Any:
    return value


def _foreign(value: Any) -> Any:  # noqa: ARG001 - as any other
    raise ForeignError


class _Part(TypedDict, total=False):
    said: str
    numbers: list[int]


class _Probe(TypedDict, total=False):
    text: str | list[str]
    parts: Iterable[_Part]
    several: Sequence[_Part] | _Part
    named: dict[str, _Part]
    anything: object
    left: str


def _sample(omitted: Any) -> dict[str, Any]:
    """Of a `_Probe`: what is copied, what is not, and what is left out."""
    return {
        "text": ["a"],
        "parts": [{"said": "b", "numbers": [1], "more": [{}]}],
        "several": [{"said": omitted}],
        "named": {"c": {"said": "d"}},
        "anything": {"e": [omitted]},
        "left": omitted,
        "unknown": {"f": {}},
    }
