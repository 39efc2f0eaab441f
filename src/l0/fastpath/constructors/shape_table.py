"""A table of the constructors of one model class, by key tuple. Each is compiled and self-tested on first use."""

from collections.abc import Callable
from operator import is_
from typing import Any, Protocol

from l0.fastpath.comparison import difference

from .annotations import Unsupported
from .source_scope import ShapeConstructor

Keys = tuple[str, ...]

# A server sends few shapes of a class. With more shapes than this, compilation would cost more than it saves.
MAX_SHAPES = 48

_PROOF_ITEMS = 16
"""Maximum number of items per list in the self-test. An answer may have 100,000 tool calls, and the self-test of a
model covers all models inside it."""
_PROOF_DEPTH = 16
"""Number of levels at which the self-test shortens lists. The models of the SDKs have fewer."""


class ConstructionMode(Protocol):
    """One of the two ways in which the SDK builds a model: without and with validation."""

    model: type
    """The class that is built."""

    def compile(self, keys: Keys) -> ShapeConstructor:
        """Return the constructor of one shape. Raises `Unsupported` if there is none."""
        ...

    def by_sdk(self, data: dict[str, Any]) -> Any:
        """Build the object with the SDK. Raises the exceptions of the SDK."""

    def fall_back(self, data: dict[str, Any]) -> Any:
        """Handle data that no compiled constructor accepts: build the object, or raise `Unmatched`."""


class ShapeTable(dict[Keys, ShapeConstructor]):
    """The self-tested constructors of one class in one mode: `table[tuple(data)](data)` builds an object.

    The self-test is part of the first use. A constructor enters the table only if an object that it built is the same
    as the object that the SDK built from the same data. This costs one construction by the SDK per shape. One object is
    proof enough: the names, order, defaults, extras and set fields of an object depend on the keys alone, and
    unexpected values go to the SDK anyway. After one difference, the SDK builds all objects of the class.

    No lock is needed: at worst, two threads compile the same shape.
    """

    def __init__(self, mode: ConstructionMode, on_mismatch: Callable[[type, str], None]) -> None:
        super().__init__()
        self._mode = mode
        self._on_mismatch = on_mismatch
        self._candidates: dict[Keys, ShapeConstructor | None] = {}
        self._off = False

    def __missing__(self, keys: Keys) -> ShapeConstructor:
        # `dict` calls this only for a missing key, so the lookup of a known shape runs completely in C.
        return self._first_use

    def switch_off(self) -> None:
        """Let the SDK build all further objects."""
        self._off = True  # set before clearing: another thread checks it after it has added a shape
        self.clear()

    def _first_use(self, data: dict[str, Any]) -> Any:
        candidate = None if self._off else self._candidate(tuple(data))
        return self._mode.fall_back(data) if candidate is None else self._prove(candidate, data)

    def _candidate(self, keys: Keys) -> ShapeConstructor | None:
        if keys not in self._candidates:
            if len(self._candidates) >= MAX_SHAPES:
                return None
            self._candidates[keys] = self._compile(keys)
        return self._candidates[keys]

    def _compile(self, keys: Keys) -> ShapeConstructor | None:
        try:
            return self._mode.compile(keys)
        except Unsupported:
            return None
        except Exception as error:  # because of an unexpected annotation; the user must still get the event
            self._on_mismatch(self._mode.model, f"it does not compile: {error!r}")
            return None

    def _prove(self, candidate: ShapeConstructor, data: dict[str, Any]) -> Any:
        built = candidate(data)  # if this raises `Unmatched`, the next object is used for the self-test
        part = _excerpt(data, _PROOF_DEPTH)
        try:
            expected = self._mode.by_sdk(part)
        except Exception as error:
            self._on_mismatch(self._mode.model, f"the SDK rejects the data: {type(error).__name__}")
            return self._mode.fall_back(data)
        found = difference(built if part is data else candidate(part), expected)
        if found is not None:
            self._on_mismatch(self._mode.model, found)
            return expected if part is data else self._mode.fall_back(data)
        self[tuple(data)] = candidate
        if self._off:  # switched off by another thread after the check in `_first_use`
            self.clear()
        return built


def _excerpt(value: Any, depth: int) -> Any:
    """Return JSON data with all long lists shortened; the same object if it has none."""
    if not depth:
        return value
    if type(value) is dict:
        fields = {key: _excerpt(field, depth - 1) for key, field in value.items()}
        return value if all(fields[key] is field for key, field in value.items()) else fields
    if type(value) is list:
        items = [_excerpt(item, depth - 1) for item in value[:_PROOF_ITEMS]]
        return value if len(items) == len(value) and all(map(is_, items, value)) else items
    return value
