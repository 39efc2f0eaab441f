"""Check functions that users pass, when they are passed: L0 calls them much later, often in another thread."""

from __future__ import annotations

from inspect import signature
from typing import Any

from .async_functions import is_async
from .policy_error import PolicyError


def check_callback(field: str, value: object, argument: str) -> None:
    """Check a function of one argument, or None. It must not be async, because nothing awaits it.

    ``argument``: what the function gets, such as ``"a Failure"``. Raises `PolicyError`.
    """
    if value is None:
        return
    allowed = f"a function of {argument}"
    if not callable(value):
        raise PolicyError(field, value, f"{allowed}, or None")
    if is_async(value):
        raise PolicyError(field, value, f"{allowed} without async, because nothing awaits it, or None")
    if not takes(value, 1):
        raise PolicyError(field, value, f"{allowed}: one that takes one argument, or None")


def takes(function: Any, number: int) -> bool:
    """Return True if a function can be called with this many positional arguments, or does not show its parameters."""
    try:
        parameters = signature(function)
    except (TypeError, ValueError):  # some builtins
        return True
    try:
        parameters.bind(*[None] * number)
    except TypeError:
        return False
    return True
