"""The error for a setting that cannot be obeyed."""

from __future__ import annotations

from .privacy import shown


class PolicyError(ValueError):
    """A policy field that cannot be obeyed. Says which field, what was given and what is allowed.

    An object is named by its class only: the repr of a client may show its key. ``given`` is the object itself.
    """

    def __init__(self, field: str, given: object, allowed: str) -> None:
        super().__init__(f"{field}: got {shown(given)}, allowed: {allowed}")
        self.field = field
        self.given = given
        self.allowed = allowed
