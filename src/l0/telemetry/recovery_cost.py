"""Sum up what the recovery of one call cost: requests that the bare SDK would have sent as well, and time."""

from __future__ import annotations

from l0.model.call import Call
from l0.model.call_events import AttemptEnded, AttemptStarted, CallEnded, CallEvent
from l0.model.failure import UNANSWERED_CAUSES, Cause

from .attributes import failed_requests

_REPEATED = frozenset({"retry", "resume", "fallback"})
"""The actions after which another request is sent."""
_BROKEN_BODY = frozenset({Cause.RESET, Cause.INCOMPLETE_READ, Cause.READ_TIMEOUT})
"""Causes for which the SDKs repeat a request even after the headers of an answer, if the call does not stream."""


class RecoveryCost:
    """The cost of one call so far.

    ``seconds``: the time of failed attempts and of the waits after them, if another attempt was to follow. A wait that
    the end of the call cut short counts until then. Of a resumed attempt only the wait counts, because its text was
    used.
    """

    __slots__ = ("_call", "_sdk_would_continue", "_sdk_retries", "_started", "_wait_ends_at", "seconds")

    def __init__(self, call: Call) -> None:
        self._call = call
        self._started: dict[int, float] = {}
        self._sdk_would_continue = True
        self._sdk_retries = 0
        self._wait_ends_at = 0.0
        self.seconds = 0.0

    def add(self, event: CallEvent) -> None:
        """Count the start or the end of an attempt, and the end of the call; ignore other events."""
        if isinstance(event, AttemptStarted):
            self._started[event.attempt.number] = event.at
        elif isinstance(event, AttemptEnded) and event.action in _REPEATED:
            used = event.action == "resume"
            self._wait_ends_at = event.at + event.wait_s
            self.seconds += event.wait_s + (0.0 if used else event.at - self._started.get(event.number, event.at))
            # The SDK's own loop ends with the first failure that it does not retry.
            self._sdk_would_continue = self._sdk_would_continue and _sdk_retries(self._call, event)
            self._sdk_retries += self._sdk_would_continue
        elif isinstance(event, CallEnded):
            self.seconds -= max(self._wait_ends_at - event.at, 0.0)

    def sdk_retries(self, ended: CallEnded) -> int:
        """Return how many of the requests after the first one the bare SDK would have sent too, as its own retries."""
        return max(0, min(self._sdk_retries, self._call.max_retries, ended.attempts - 1))


def _sdk_retries(call: Call, event: AttemptEnded) -> bool:
    """Return True if the bare SDK would send the request again: no answer began, or the SDK reads the whole body."""
    failure = event.failure
    if failure is None or not failure.sdk_retries:
        return False
    if event.status is None or event.status >= 400:
        return True
    return not call.streaming and failure.cause in _BROKEN_BODY


def unknown_waste(ended: CallEnded) -> bool:
    """Return True if an attempt that did not serve the answer may have used tokens, and the provider reported none."""
    if ended.wasted_tokens is not None:
        return False
    # A refused request, and one that never got an answer, use no tokens.
    failures = failed_requests(ended)
    unused = sum((failure.status or 0) >= 400 or failure.cause in UNANSWERED_CAUSES for failure in failures)
    served = 1 if ended.failure is None else 0
    return ended.attempts - served > unused
