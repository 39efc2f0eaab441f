"""Invalid input of a command."""

from __future__ import annotations


class InputError(Exception):
    """Invalid input. The message states the given and the allowed values; the command ends with exit code 2."""


def check_range(name: str, value: float, minimum: float, maximum: float) -> None:
    """Raise `InputError` if ``value`` is less than ``minimum`` or more than ``maximum``, or is not a number."""
    if not minimum <= value <= maximum:
        raise InputError(f"{name}: got {value:g}, allowed: {minimum:g} to {maximum:g}")
