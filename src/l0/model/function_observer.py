"""Let a plain function observe all calls."""

from __future__ import annotations

from collections.abc import Callable
from inspect import isclass
from typing import TypeGuard, cast

from .async_functions import is_async
from .call import Call
from .call_events import CallEvent
from .ports import CallObserver, Observer

EventFunction = Callable[[Call, CallEvent], object]
"""A function that receives each event of each call."""


def is_event_function(observer: object) -> TypeGuard[EventFunction]:
    """Return True for a function that can be used in place of an observer."""
    # An `Observer` of the previous release has `watch` in place of `observe`.
    is_observer = hasattr(observer, "observe") or hasattr(observer, "watch")
    return callable(observer) and not (is_observer or isclass(observer) or is_async(observer))


def as_observer(observer: Observer | EventFunction) -> Observer:
    """Return an observer unchanged; wrap a function in a `FunctionObserver`."""
    return FunctionObserver(observer) if is_event_function(observer) else cast(Observer, observer)


class FunctionObserver(Observer):
    """An observer that calls a function with each event of each call."""

    def __init__(self, function: EventFunction) -> None:
        self._function = function

    def observe(self, call: Call) -> CallObserver:
        """Return the observer of one call."""
        return _FunctionCallObserver(self._function, call)


class _FunctionCallObserver(CallObserver):
    def __init__(self, function: EventFunction, call: Call) -> None:
        self._function = function
        self._call = call

    def notify(self, event: CallEvent) -> None:
        self._function(self._call, event)
