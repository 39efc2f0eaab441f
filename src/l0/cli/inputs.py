"""Invalid input of a command."""

from __future__ import annotations


class InputError(Exception):
    """Invalid input. The message states the given and the allowed values; the command ends with exit code 2."""


def check_range(name: str, value: float, least: float, most: float) -> None:
    """Raise `InputError` if ``value`` is less than ``least`` or more than ``most``, or is not a number."""
    if not least <= value <= most:
        raise InputError(f"{name}: got {value:g}, allowed: {least:g} to {most:g}")
