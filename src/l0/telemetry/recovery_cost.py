"""Sum up what the recovery of one call cost: its time, and the requests that the bare SDK would have sent anyway."""

from __future__ import annotations

from l0.model.call import Call
from l0.model.call_events import AttemptEnded, AttemptStarted, CallEnded, CallEvent
from l0.model.failure import UNANSWERED_CAUSES, Cause

_CONTINUING_ACTIONS = frozenset({"retry", "resume", "fallback"})
"""The actions after which another request is sent."""
_BROKEN_BODY = frozenset({Cause.RESET, Cause.INCOMPLETE_READ, Cause.READ_TIMEOUT})
"""Causes for which the SDKs repeat a request even after the headers of an answer, if the call does not stream."""


class RecoveryCost:
    """The cost of one call so far.

    ``seconds``: the time of failed attempts and of the waits after them, if another attempt was to follow; without
    requests that lost to a hedge. A wait that the end of the call cut short counts until then. Of a resumed attempt
    only the wait counts, because its text was used.
    """

    __slots__ = ("_call", "_counted", "_sdk_would_continue", "_started", "_unused", "_wait_ends_at", "seconds")

    def __init__(self, call: Call) -> None:
        self._call = call
        self._started: dict[int, float] = {}
        self._sdk_would_continue = True
        self._counted = 0  # retries that the SDK would have sent too
        self._unused = 0  # requests that used no tokens
        self._wait_ends_at = 0.0
        self.seconds = 0.0

    def add(self, event: CallEvent) -> None:
        """Count the start or the end of an attempt, and the end of the call; ignore other events."""
        if isinstance(event, AttemptStarted):
            self._started[event.attempt.number] = event.at
        elif isinstance(event, AttemptEnded):
            self._unused += _used_no_tokens(event)
            if event.action in _CONTINUING_ACTIONS:
                self._add_failed(event)
        elif isinstance(event, CallEnded):
            self.seconds -= max(self._wait_ends_at - event.at, 0.0)

    def _add_failed(self, event: AttemptEnded) -> None:
        """Count an attempt that another one was to follow."""
        text_used = event.action == "resume"
        self._wait_ends_at = event.at + event.wait_s
        self.seconds += event.wait_s + (0.0 if text_used else event.at - self._started.get(event.number, event.at))
        # The SDK's own loop ends with the first failure that it does not retry.
        self._sdk_would_continue = self._sdk_would_continue and _sdk_would_retry(self._call, event)
        self._counted += self._sdk_would_continue

    def sdk_retries(self, ended: CallEnded) -> int:
        """Return how many of the requests after the first one the bare SDK would have sent too, as its own retries."""
        return max(0, min(self._counted, self._call.max_retries, ended.attempts - 1))

    def unknown_waste(self, ended: CallEnded) -> bool:
        """Return True if an attempt that did not serve the answer may have used tokens, and the provider reported none
        for any such attempt."""
        served = 1 if ended.failure is None else 0
        return ended.wasted_tokens is None and ended.attempts - served > self._unused


def _sdk_would_retry(call: Call, event: AttemptEnded) -> bool:
    """Return True if the bare SDK would send the request again: no answer began, or the SDK reads the whole body."""
    failure = event.failure
    if failure is None or not failure.sdk_retries:
        return False
    if event.status is None or event.status >= 400:
        return True
    return not call.streaming and failure.cause in _BROKEN_BODY


def _used_no_tokens(event: AttemptEnded) -> bool:
    """Return True for a request that was refused, or that got no response."""
    failure = event.failure
    if failure is None or failure.cause is Cause.BREAKER_OPEN:  # it answered, or it lost to a hedge; or it was not sent
        return False
    return event.status >= 400 if event.status is not None else failure.cause in UNANSWERED_CAUSES
