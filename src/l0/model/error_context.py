"""The state of a failed call that its exception reports."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .errors import StreamInterrupted, describe_attempts, describe_break
from .failure import RULE_CAUSES, Failure

_ENCLOSED_ENDING = "one attempt of a call of the explicit API"


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorContext:
    """The state of a call whose last attempt failed.

    ``text``: the text delivered to the user. ``arrived``: the number of characters received from the provider, which
    may be higher. ``max_attempts``: the maximum number of attempts that all fail like the last one; ``None`` if it
    depends on fallbacks or hedges, or if no attempt may follow such a failure. ``request_id``: the provider's id of the
    last request. ``stop``: the reason why there was no further attempt (`engine.stop_reasons`); empty if the failure
    explains itself. ``enclosed``: the call is one attempt of a call of the explicit API, which knows the number and the
    limit of all attempts, and adds them to the exception.
    """

    text: str
    attempts: int
    arrived: int = 0
    max_attempts: int | None = None
    request_id: str | None = None
    stop: str = ""
    enclosed: bool = False

    @property
    def ending(self) -> str:
        """The number of attempts, and the reason why there was no further one, as a text."""
        if self.enclosed and self.attempts:
            return _ENCLOSED_ENDING
        return describe_attempts(self.attempts, self.max_attempts, self.stop)

    def fields(self, failure: Failure) -> dict[str, Any]:
        """Return the fields of a `StreamInterrupted`."""
        by_rule = failure.cause in RULE_CAUSES and failure.code
        return {
            "partial_text": self.text,
            "reason": failure.cause.value,
            "attempts": self.attempts,
            "request_id": failure.request_id or self.request_id,
            **({"rule": failure.code} if by_rule else {}),
        }

    def describe(self, failure: Failure) -> str:
        """Return the message of a `StreamInterrupted`."""
        delivered = len(self.text)
        return describe_break(
            failure.cause.value,
            failure.message,
            characters=max(delivered, self.arrived),
            delivered=delivered,
            ending=self.ending,
        )

    def conclude(self, error: BaseException, failure: Failure) -> BaseException:
        """Add the ending of this call to the ``error`` of its last attempt: in its message if L0 wrote that for an
        attempt of this call, else as a note."""
        text = str(error)
        if _ENCLOSED_ENDING not in text:
            return self.annotate(error)
        broken = isinstance(error, StreamInterrupted)
        message = self.describe(failure) if broken else text.replace(_ENCLOSED_ENDING, self.ending)
        error.args = (message,)
        if hasattr(error, "message"):
            error.message = message  # pyright: ignore[reportAttributeAccessIssue]  # a field of the SDKs' exceptions
        return error

    def annotate(self, error: BaseException) -> BaseException:
        """Add the reason why there was no further attempt to ``error`` as a note: its message is the provider's."""
        if self.stop:
            error.add_note(f"l0: no further attempt: {self.stop}")
        return error
