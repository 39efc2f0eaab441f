"""The reasons why a failed attempt is not followed by another one, and their wording in messages of exceptions."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from l0.model.call import Call
from l0.model.failure import RETRY_REASONS, Cause, Failure

LONGEST_SERVER_WAIT = 60.0
"""Seconds. If a server asks for a longer wait, the call falls back to the next leg or fails at once."""


class StopReason(Enum):
    """The limit, rule or field of the policy that ruled out another attempt. The values are its wording."""

    HOPELESS = ""
    """A retry cannot succeed, or the server rules it out: the failure explains itself."""
    DELIVERED = 'content had been delivered, and Policy.resume is "off"'
    NOT_RESUMABLE = 'content had been delivered, and Policy.resume="{policy.resume}" cannot resume this answer'
    ACCEPTED = 'a retry could have an effect twice (Policy.replay="{policy.replay}")'
    RETRIES_OFF = "max_retries is 0, or the body of the request can be read only once"
    RETRIES_USED = "all retries are used ({limit})"
    ATTEMPTS_USED = "all retries for failures of the model are used (Retry.attempts={retry.attempts})"
    NOT_RETRIED_ON = 'Retry.retry_on does not contain "{kind}"'
    VETOED = "Retry.should_retry rejected it"
    SERVER_WAIT = "the server asks to wait {asked} s, more than the limit of {longest} s"
    WAIT_TOO_LONG = "the wait of {wait} s would pass Timeout.total of {total:,.0f} ms"
    OUT_OF_TIME = "Timeout.total of {total:,.0f} ms has passed"
    REFUSED = "{text}"


@dataclass(frozen=True, slots=True)
class Stop:
    """A reason, with the ``seconds`` of the wait that it is about, or the ``text`` of the guard that refused."""

    reason: StopReason
    seconds: float = 0.0
    text: str = ""


NO_STOP = Stop(StopReason.HOPELESS)

_FIELDS = {
    StopReason.DELIVERED: "Policy.resume",
    StopReason.NOT_RESUMABLE: "Policy.resume",
    StopReason.ACCEPTED: "Policy.replay",
    StopReason.RETRIES_OFF: "max_retries",
    StopReason.ATTEMPTS_USED: "Retry.attempts",
    StopReason.NOT_RETRIED_ON: "Retry.retry_on",
    StopReason.VETOED: "Retry.should_retry",
    StopReason.WAIT_TOO_LONG: "Timeout.total",
    StopReason.OUT_OF_TIME: "Timeout.total",
    StopReason.REFUSED: "Policy.budget",
}
_FIELDS_OF_CAUSES = {
    Cause.FIRST_CONTENT_TIMEOUT: "Timeout.initial_token",
    Cause.STALLED: "Timeout.inter_token",
    Cause.DEAD: "Timeout.liveness",
    Cause.TOTAL_TIMEOUT: "Timeout.total",
    Cause.GUARDRAIL_VIOLATION: "Policy.guardrails",
    Cause.DRIFT: "Policy.drift",
    Cause.BREAKER_OPEN: "Policy.breaker",
}
"""The field of the policy that made a cause a failure. Other causes are failures without a policy."""


def policy_field(stop: Stop, call: Call, failure: Failure) -> str:
    """Return the field, such as ``"Retry.max_retries"``, that ruled out another attempt, or that failed this one.

    Empty if no policy had a part in it; ``"max_retries"`` is the limit of the SDK's client.
    """
    if stop.reason is StopReason.RETRIES_USED:
        return "max_retries" if call.policy.retry is None else "Retry.max_retries"
    return _FIELDS.get(stop.reason) or _FIELDS_OF_CAUSES.get(failure.cause, "")


def describe_stop(stop: Stop, call: Call, failure: Failure) -> str:
    """Return the reason with its limit and unit; empty if the failure explains itself."""
    policy = call.policy
    retry, timeout = policy.retry, policy.timeout
    return stop.reason.value.format(
        policy=policy,
        retry=retry,
        limit=f"max_retries={call.retry_limit}" if retry is None else f"Retry.max_retries={retry.max_retries}",
        kind=RETRY_REASONS[failure.cause],
        asked=_short(failure.retry_after or 0.0),
        longest=_short(LONGEST_SERVER_WAIT),
        wait=_short(stop.seconds),
        total=timeout.total if timeout is not None and timeout.total is not None else 0.0,
        text=stop.text,
    )


def _short(seconds: float) -> str:
    """Return ``seconds`` with three decimals at most, without trailing zeros: "30", "0.5"."""
    return f"{seconds:.3f}".rstrip("0").rstrip(".")
