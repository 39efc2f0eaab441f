"""Define the errors for invalid settings."""

from __future__ import annotations

from .privacy import shown_briefly


class PolicyError(ValueError):
    """An option, or a field of a policy, that is not allowed.

    The message names the option, the given value and the allowed values. It shows only the class of an object, because
    the repr of a client may show its key, and cuts a long value. ``field``: the name of the option, such as
    ``"Retry.attempts"``. ``given``: the value itself. ``allowed``: a text.
    """

    def __init__(self, field: str, given: object, allowed: str) -> None:
        super().__init__(self._text(field, given, allowed))
        self.field = field
        self.given = given
        self.allowed = allowed

    def _text(self, field: str, given: object, allowed: str) -> str:
        return f"{field}: got {shown_briefly(given)}, allowed: {allowed}"


class OptionNameError(PolicyError, TypeError):
    """An option with an unknown name, or without a name, for which Python itself raises `TypeError`.

    The message does not show the value: under a name such as ``api_key`` it is a secret, and no value would be right.
    """

    def _text(self, field: str, given: object, allowed: str) -> str:  # noqa: ARG002 - as in the base class
        return f"{field}: {allowed}"
