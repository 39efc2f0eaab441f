"""Detect changes to the state of a client on which its requests depend."""

from __future__ import annotations

from collections.abc import Callable
from itertools import repeat
from operator import is_
from typing import Any

from .attribute_recorder import AttributeRecorder, reads_variables

_PLAIN = (str, bytes, int, float, bool, type(None))
_IMMUTABLE = frozenset({"URL", "QueryParams"})
_ABSENT = frozenset({"NotGiven", "Omit"})


class UntraceableError(Exception):
    """L0 cannot detect all changes to a value, or does not know the code that uses it. The SDK must do the work."""


class RequestInputs:
    """The attributes of one object on which a request depends, as they were when the SDK built that request.

    ``recorder``: has recorded them. ``excluded``: names of attributes that the caller compares itself. ``packages``:
    packages whose code depends on these attributes only. Raises `UntraceableError` for code of other packages, and for
    values whose changes cannot be detected.
    """

    def __init__(self, recorder: AttributeRecorder, excluded: frozenset[str], packages: frozenset[str]) -> None:
        target = recorder.target
        self._kind = type(target)
        self._inherited = recorder.inherited
        self._attributes = [getattr(self._kind, name) for name in self._inherited]
        if not recorder.code_packages() <= packages or not self._same_class():
            raise UntraceableError
        if any(map(reads_variables, self._attributes)):
            raise UntraceableError
        self._names = tuple(name for name in recorder.held if name not in excluded)
        self._values = [vars(target)[name] for name in self._names]
        readers = [(value, content_reader(value)) for value in self._values]
        self._contents = [(value, read, read(value)) for value, read in readers if read is not None]

    def same(self, target: Any) -> bool:
        """Return True if an object has the same attributes, with the same contents."""
        held = vars(target)
        if type(target) is not self._kind or not all(map(is_, map(held.get, self._names), self._values)):
            return False
        for value, read, content in self._contents:
            if read(value) != content:
                return False
        return held.keys().isdisjoint(self._inherited) and self._same_class()

    def _same_class(self) -> bool:
        return all(map(is_, map(getattr, repeat(self._kind), self._inherited), self._attributes))


def content_reader(value: Any) -> Callable[[Any], Any] | None:
    """Return a function that returns the content of a mutable value; ``None`` for a value that cannot change.

    Raises `UntraceableError` for a value of an unknown kind.
    """
    kind = type(value)
    if kind in _PLAIN or kind.__name__ in _IMMUTABLE or is_absent(value):
        return None
    if (kind is frozenset or kind is tuple) and all(type(each) is str for each in value):
        return None
    if kind is dict and all(type(each) is str or is_absent(each) for each in value.values()):
        return _items
    if is_timeout(value):
        return timeout_parts
    if kind.__name__ == "Headers":
        return _header_lines
    raise UntraceableError


def is_absent(value: object) -> bool:
    """Return True for the SDK's markers of an argument that is not given, or of a header that is removed."""
    return type(value).__name__ in _ABSENT


def is_timeout(value: object) -> bool:
    """Return True for a transport's timeout."""
    return type(value).__name__ == "Timeout"


def timeout_parts(timeout: Any) -> tuple[tuple[type, float | None], ...]:
    """Return the seconds of each part of a transport's timeout, with their types: 1 and 1.0 give different headers."""
    return tuple([(type(seconds), seconds) for seconds in (timeout.connect, timeout.read, timeout.write, timeout.pool)])


def _items(value: Any) -> list[Any]:
    return list(value.items())


def _header_lines(value: Any) -> tuple[Any, Any]:
    return list(value._list), value._encoding
