"""Classify attempts and calls as good, bad or not counted for an objective.

Every failure of an attempt counts against exactly one indicator. An attempt goes through stages: the provider has
capacity, it responds (availability), the first content arrives (first token), the stream continues (stall), and it ends
completely (truncation). The attempt is good for the stages that it passed, bad for the stage at which it failed, and
not counted for later stages. Failures that the caller caused (a bad request, a wrong key) or the model (an unwanted
text) are not counted.

A delivered call is good if the user received the answer, even after recovery, and bad if the user saw it fail. It is
not counted if the user stopped it, or if no provider could have served the request.
"""

from __future__ import annotations

from dataclasses import dataclass

from l0.model.call import Outcome
from l0.model.call_events import CallEnded
from l0.model.failure import Category, Cause, Failure

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
"""Indicators of causes whose category does not decide it. Other failures of a provider count as availability."""
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
"""Causes that count as truncation if a stream had begun, else as availability."""
REQUEST_CAUSES = frozenset(
    {
        Cause.AUTHENTICATION,
        Cause.NOT_FOUND,
        Cause.CONTEXT_LENGTH,
        Cause.BAD_REQUEST,
        Cause.NOT_IMPLEMENTED,
        Cause.REDIRECTS,
        Cause.LOCAL,
    }
)
"""Causes in the request itself, which no other provider and no retry can fix."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptRecord:
    """One request to a provider, and its course.

    ``waited``: seconds from the request to the end of the attempt. ``failure``: ``None`` if the attempt succeeded or
    was given up. ``opened``: true if a stream had begun. ``first_content``: seconds from the request to the first
    content, or ``None`` if unknown. ``stalls``: number of reported stalls that did not end the attempt. ``unended``:
    true if the stream was accepted without a terminal event. ``given_up``: true if the user stopped, or another attempt
    was faster.
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
        """Return the stage at which the attempt failed, or ``None`` if it did not fail because of the provider."""
        failure = self.failure
        if failure is None:
            return None
        if failure.cause in _BROKEN:
            return Indicator.TRUNCATION if self.streaming and self.opened else Indicator.AVAILABILITY
        stage = _STAGES.get(failure.cause)
        return stage or (Indicator.AVAILABILITY if failure.category in _PROVIDERS else None)


def judge_attempt(attempt: AttemptRecord, objective: Objective) -> bool | None:
    """Return True if an attempt is good for an objective on attempts, False if bad, ``None`` if it is not counted."""
    blamed, kind = attempt.blamed, objective.indicator
    if attempt.failure is not None and blamed is None:
        return None
    if attempt.given_up and attempt.first_content is None:
        return _judge_given_up(attempt, objective)
    if kind is blamed:
        return False
    if kind is Indicator.CAPACITY:
        return True
    if kind is Indicator.AVAILABILITY:
        return None if blamed is Indicator.CAPACITY else True
    if not attempt.streaming or blamed in (Indicator.CAPACITY, Indicator.AVAILABILITY):
        return None
    return _judge_stream(attempt, blamed, objective)


def _judge_given_up(attempt: AttemptRecord, objective: Objective) -> bool | None:
    """Classify an attempt that was given up before any content: bad if it had waited longer than the threshold."""
    if objective.indicator is not Indicator.FIRST_TOKEN or not attempt.streaming or objective.threshold is None:
        return None
    return False if attempt.waited > objective.threshold else None


def _judge_stream(attempt: AttemptRecord, blamed: Indicator | None, objective: Objective) -> bool | None:
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
    """Return True if a call is good for an objective on delivered calls, False if bad, ``None`` if not counted."""
    if objective.indicator is Indicator.FIRST_CHUNK:
        first = ended.stream_stats.first_chunk if ended.stream_stats is not None else None
        return None if first is None or objective.threshold is None else first <= objective.threshold
    if ended.outcome is Outcome.CANCELLED or (ended.failure is not None and ended.failure.cause in REQUEST_CAUSES):
        return None
    return not seen_failing(ended)


def masked(ended: CallEnded) -> bool | None:
    """Return True if recovery saved a delivered call, False if it was not needed, ``None`` if nothing was delivered."""
    if ended.outcome is Outcome.CANCELLED or seen_failing(ended):
        return None
    return ended.outcome is not Outcome.OK


def seen_failing(ended: CallEnded) -> bool:
    """Return True if the user saw the call fail: by an exception, or by a typed event of the SDK."""
    return ended.outcome is Outcome.FAILED or (ended.failure is not None and ended.failure.typed)
