"""What counts against which objective. Every failure of an attempt counts against exactly one indicator.

An attempt goes through stages: there is room for it (capacity), it is answered (availability), the first content comes
(first token), the stream keeps flowing (stall), and ends whole (truncation). It is good for the stages that it passed,
bad for the one at which it failed, and says nothing of those that it never reached. What is the caller's own doing (a
bad request, a wrong key) or the model's (an unwanted text) says nothing of the provider at all.

A delivered call is good if the user got the answer, whatever that took, and bad if the user saw it fail. What the user
gave up says nothing, and neither does a request that no provider could have served.
"""

from __future__ import annotations

from dataclasses import dataclass

from l0.values.calls import Outcome
from l0.values.events import CallEnded
from l0.values.failures import Category, Cause, Failure

from .objective import Indicator, Objective

_PROVIDERS = (Category.NETWORK, Category.TRANSIENT, Category.PROVIDER)
_STAGES: dict[Cause, Indicator] = {
    Cause.RATE_LIMIT: Indicator.CAPACITY,
    Cause.OVERLOADED: Indicator.CAPACITY,
    Cause.QUOTA: Indicator.CAPACITY,
    Cause.TLS_CERTIFICATE: Indicator.AVAILABILITY,
    Cause.UNKNOWN: Indicator.AVAILABILITY,
    Cause.FIRST_CONTENT_TIMEOUT: Indicator.FIRST_TOKEN,
    Cause.STALLED: Indicator.STALL,
    Cause.DEAD: Indicator.STALL,
}
"""What its category does not say. The rest counts against availability where it is the provider's."""
_BROKEN = frozenset(
    {
        Cause.TRUNCATED,
        Cause.EMPTY,
        Cause.RESET,
        Cause.INCOMPLETE_READ,
        Cause.CORRUPT,
        Cause.MALFORMED,
        Cause.OUT_OF_ORDER,
    }
)
"""Truncation, if a stream had begun; else nobody answered."""
CALLERS = frozenset(
    {
        Cause.AUTHENTICATION,
        Cause.NOT_FOUND,
        Cause.CONTEXT_LENGTH,
        Cause.BAD_REQUEST,
        Cause.NOT_IMPLEMENTED,
        Cause.REDIRECTS,
    }
)
"""What no provider and no retry can help."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One request, as far as it went. ``waited``: seconds from the request to its end.

    ``failure``: ``None`` where it served, or was given up. ``opened``: a stream had begun. ``first_content``: seconds
    from the request; ``None`` where it is not known. ``stalls``: pauses that were reported and did not end it.
    ``unended``: the stream had no terminal event, and was accepted. ``given_up``: its user stopped, or another attempt
    was quicker.
    """

    streaming: bool
    failure: Failure | None
    opened: bool
    waited: float
    first_content: float | None = None
    stalls: int = 0
    unended: bool = False
    given_up: bool = False

    @property
    def blamed(self) -> Indicator | None:
        """The stage at which it failed; ``None``: at none, or it was not the provider's failure."""
        failure = self.failure
        if failure is None:
            return None
        if failure.cause in _BROKEN:
            return Indicator.TRUNCATION if self.streaming and self.opened else Indicator.AVAILABILITY
        stage = _STAGES.get(failure.cause)
        return stage or (Indicator.AVAILABILITY if failure.category in _PROVIDERS else None)


def judge_attempt(attempt: Attempt, objective: Objective) -> bool | None:
    """Whether an attempt was good for an objective of its layer; ``None`` where it says nothing."""
    blamed, kind = attempt.blamed, objective.indicator
    if attempt.failure is not None and blamed is None:
        return None
    if attempt.given_up and attempt.first_content is None:
        return _waited_for(attempt, objective)
    if kind is blamed:
        return False
    if kind is Indicator.CAPACITY:
        return True
    if kind is Indicator.AVAILABILITY:
        return None if blamed is Indicator.CAPACITY else True
    if not attempt.streaming or blamed in (Indicator.CAPACITY, Indicator.AVAILABILITY):
        return None
    return _judge_stream(attempt, blamed, objective)


def _waited_for(attempt: Attempt, objective: Objective) -> bool | None:
    """Nothing had come when it was given up: that says something only to those who would not wait so long."""
    if objective.indicator is not Indicator.FIRST_TOKEN or not attempt.streaming or objective.threshold is None:
        return None
    return False if attempt.waited > objective.threshold else None


def _judge_stream(attempt: Attempt, blamed: Indicator | None, objective: Objective) -> bool | None:
    if objective.indicator is Indicator.FIRST_TOKEN:
        if attempt.first_content is None or objective.threshold is None:
            return None
        return attempt.first_content <= objective.threshold
    if blamed is Indicator.FIRST_TOKEN:
        return None
    if objective.indicator is Indicator.STALL:
        return attempt.stalls == 0
    if blamed is Indicator.STALL or attempt.given_up:
        return None
    return not attempt.unended


def judge_call(ended: CallEnded, objective: Objective) -> bool | None:
    """Whether a call was good for an objective of delivered calls; ``None`` where it says nothing."""
    if objective.indicator is Indicator.FIRST_CHUNK:
        first = ended.pace.first_chunk if ended.pace is not None else None
        return None if first is None or objective.threshold is None else first <= objective.threshold
    if ended.outcome is Outcome.CANCELLED or (ended.failure is not None and ended.failure.cause in CALLERS):
        return None
    return not seen_failing(ended)


def masked(ended: CallEnded) -> bool | None:
    """Whether a call that the user got had to be saved; ``None`` where the user did not get it."""
    if ended.outcome is Outcome.CANCELLED or seen_failing(ended):
        return None
    return ended.outcome is not Outcome.OK


def seen_failing(ended: CallEnded) -> bool:
    """Whether the user saw the call fail: by an exception, or by a typed event of the SDK's."""
    return ended.outcome is Outcome.FAILED or (ended.failure is not None and ended.failure.typed)
