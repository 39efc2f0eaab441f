"""Define the error for invalid settings."""

from __future__ import annotations

from .privacy import shown_briefly


class PolicyError(ValueError):
    """An invalid policy field. The message names the field, the given value and the allowed values.

    The message shows only the class of an object, because the repr of a client may show its key, and cuts a long value.
    ``given`` is the value itself.
    """

    def __init__(self, field: str, given: object, allowed: str) -> None:
        super().__init__(f"{field}: got {shown_briefly(given)}, allowed: {allowed}")
        self.field = field
        self.given = given
        self.allowed = allowed
