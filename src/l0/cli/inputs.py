"""Input that cannot be obeyed."""

from __future__ import annotations


class InputError(Exception):
    """The message names what was given and what is allowed; the command ends with exit code 2."""


def check_range(name: str, value: float, least: float, most: float) -> None:
    """Raise `InputError` for a value outside."""
    if not least <= value <= most:
        raise InputError(f"{name}: got {value:g}, allowed: {least:g} to {most:g}")
