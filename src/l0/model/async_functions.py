"""Recognize functions whose calls must be awaited."""

from __future__ import annotations

from inspect import iscoroutinefunction
from typing import Any


def is_async(function: Any) -> bool:
    """Return True for a coroutine function, and for an object whose calls return coroutines."""
    return iscoroutinefunction(function) or (callable(function) and iscoroutinefunction(type(function).__call__))
