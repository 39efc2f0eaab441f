"""The constructors of one model class, by key tuple: compiled on first use, proven, then used."""

from collections.abc import Callable
from typing import Any, Protocol

from l0.wire.construct.annotations import Unsupported
from l0.wire.construct.comparison import difference
from l0.wire.construct.scope import Build

Keys = tuple[str, ...]

# A server sends few shapes of a class. Past this many, more compiling would cost more than it saves.
MAX_SHAPES = 48


class Way(Protocol):
    """One of the SDK's two ways to build a model: without or with validation."""

    model: type
    """The class that is built."""

    def compile(self, keys: Keys) -> Build:
        """The constructor of one shape; raises `Unsupported` if there is none."""
        ...

    def by_sdk(self, data: dict[str, Any]) -> Any:
        """The object as the SDK builds it; raises what the SDK raises."""

    def fall_back(self, data: dict[str, Any]) -> Any:
        """What to do with data that no compiled constructor takes: build it, or raise `Unmatched`."""


class ShapeTable(dict[Keys, Build]):
    """The proven constructors of one class in one way: `table[tuple(data)](data)`.

    The self-test is part of first use. A constructor enters the table only after one object that it built was found the
    same as the object that the SDK built from that very data; the cost is one SDK construction per shape. What a
    constructor does with names, order, defaults, extras and set fields depends on the keys alone, so that one object
    proves it; what it does with odd values is to hand them to the SDK. One difference, and the class is never compiled
    again.

    Needs no lock: the worst that two threads can do is to compile one shape twice.
    """

    def __init__(self, way: Way, on_mismatch: Callable[[type, str], None]) -> None:
        super().__init__()
        self._way = way
        self._on_mismatch = on_mismatch
        self._candidates: dict[Keys, Build | None] = {}
        self._off = False

    def __missing__(self, keys: Keys) -> Build:
        return self._first_use

    def switch_off(self) -> None:
        """From now on, every object takes the SDK's path."""
        self._off = True  # before clearing: a thread that just proved a shape looks at this after entering it
        self.clear()

    def _first_use(self, data: dict[str, Any]) -> Any:
        candidate = None if self._off else self._candidate(tuple(data))
        return self._way.fall_back(data) if candidate is None else self._prove(candidate, data)

    def _candidate(self, keys: Keys) -> Build | None:
        if keys not in self._candidates:
            if len(self._candidates) >= MAX_SHAPES:
                return None
            self._candidates[keys] = self._compile(keys)
        return self._candidates[keys]

    def _compile(self, keys: Keys) -> Build | None:
        try:
            return self._way.compile(keys)
        except Unsupported:
            return None
        except Exception as error:  # a shape of annotation that nobody thought of must not cost a user an event
            self._on_mismatch(self._way.model, f"it does not compile: {error!r}")
            return None

    def _prove(self, candidate: Build, data: dict[str, Any]) -> Any:
        built = candidate(data)  # if it raises `Unmatched`, the proof waits for the next object
        try:
            expected = self._way.by_sdk(data)
        except Exception as error:
            self._on_mismatch(self._way.model, f"the SDK refuses what was built: {type(error).__name__}")
            return self._way.fall_back(data)
        found = difference(built, expected)
        if found is not None:
            self._on_mismatch(self._way.model, found)
            return expected
        self[tuple(data)] = candidate
        if self._off:
            self.clear()
        return built
