"""Check the arguments that several kinds of orchestration share. Called before any request is sent."""

from __future__ import annotations

from l0.model.policy import PolicyError


def check_count(field: str, value: object) -> None:
    """Raise `PolicyError` if ``value`` is not a whole number of 1 or more."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise PolicyError(field, value, "a whole number, 1 or more")


def check_switch(field: str, value: object) -> None:
    """Raise `PolicyError` if ``value`` is not a boolean."""
    if not isinstance(value, bool):
        raise PolicyError(field, value, "True or False")


def check_function(field: str, value: object, argument: str, *, optional: bool = True) -> None:
    """Raise `PolicyError` if ``value`` is not a function of ``argument``, or ``None``."""
    if not (callable(value) or (optional and value is None)):
        raise PolicyError(field, value, f"a function of {argument}" + (", or None" if optional else ""))


def check_share(field: str, value: object) -> None:
    """Raise `PolicyError` if ``value`` is not a number above 0, up to 1."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 1:
        raise PolicyError(field, value, "a number above 0, at most 1")
