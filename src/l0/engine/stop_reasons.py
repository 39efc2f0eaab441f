"""The reasons why no further attempt follows a failed one, and their wording in messages of exceptions."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from l0.model.call import Call
from l0.model.failure import RETRY_REASONS, Failure


class StopReason(Enum):
    """The reason why there is no further attempt. The values are templates for `describe_stop`."""

    HOPELESS = ""
    """A retry cannot succeed, or the server rules it out. The message of the failure is explanation enough."""
    HALTED = 'the severity of the rule is "fatal"'
    DELIVERED = 'content had been delivered, and Policy.resume is "off"'
    NOT_RESUMABLE = (
        'content had been delivered, and Policy.resume="{policy.resume}" cannot resume this answer (needed: {need})'
    )
    RELEASED_BY_TIME = (
        "this answer cannot be restarted, and events without content had been delivered after {hold.seconds:g} s "
        "(Hold.seconds)"
    )
    RELEASED_BY_COUNT = (
        "this answer cannot be restarted, and {hold.frames} events without content had been delivered (Hold.frames)"
    )
    ACCEPTED = 'a retry could have an effect twice (Policy.replay="{policy.replay}")'
    RETRIES_OFF = "max_retries is 0"
    READ_ONCE = "{once} can be read only once"
    RETRIES_USED = "all retries are used ({limit}{each})"
    ATTEMPTS_USED = "all retries for failures of the model are used (Retry.attempts={retry.attempts}{each})"
    NOT_RETRIED_ON = 'Retry.retry_on does not contain "{kind}"'
    VETOED = "Retry.should_retry rejected it"
    SERVER_WAIT = "the server asks to wait {asked} s, more than the limit of {longest} s"
    WAIT_TOO_LONG = "the wait of {wait} s would pass Timeout.total of {total:,.0f} ms"
    OUT_OF_TIME = "Timeout.total of {total:,.0f} ms has passed"
    REFUSED = "{text}"


@dataclass(frozen=True, slots=True)
class Stop:
    """A reason with its details: the ``seconds`` of the wait that is too long, or the ``text`` of a breaker's or
    budget's refusal."""

    reason: StopReason
    seconds: float = 0.0
    text: str = ""


NO_STOP = Stop(StopReason.HOPELESS)
"""A stop that adds nothing to the message of the failure."""

_RESUME_NEEDS = {
    "off": "another mode",
    "exact": "only text so far, and a request without lasting effects",
    "prefill": "only text so far, and an API and a model that continue a begun answer",
    "splice": "only text so far, enough of it to join, and an API or a source that continues it",
    "restart": "only text so far, and the explicit API",
}
"""The requirements of each mode of ``Policy.resume``."""
_FIELDS = {
    StopReason.DELIVERED: "Policy.resume",
    StopReason.NOT_RESUMABLE: "Policy.resume",
    StopReason.RELEASED_BY_TIME: "Hold.seconds",
    StopReason.RELEASED_BY_COUNT: "Hold.frames",
    StopReason.ACCEPTED: "Policy.replay",
    StopReason.RETRIES_OFF: "max_retries",
    StopReason.ATTEMPTS_USED: "Retry.attempts",
    StopReason.NOT_RETRIED_ON: "Retry.retry_on",
    StopReason.VETOED: "Retry.should_retry",
    StopReason.WAIT_TOO_LONG: "Timeout.total",
    StopReason.OUT_OF_TIME: "Timeout.total",
    StopReason.REFUSED: "Policy.budget",
}


def policy_field(stop: Stop, call: Call, failure: Failure) -> str:
    """Return the policy field, such as ``"Retry.max_retries"``, that ruled out another attempt or caused the failure.

    Empty if no field did; ``"max_retries"`` is the limit of the SDK's client.
    """
    if stop.reason is StopReason.RETRIES_USED:
        return "max_retries" if call.policy.retry is None else "Retry.max_retries"
    return _FIELDS.get(stop.reason) or failure.policy_field


def describe_stop(stop: Stop, call: Call, failure: Failure, leg: int = 0) -> str:
    """Return the reason as a text, with its limit and unit; empty for `StopReason.HOPELESS`.

    ``leg``: the last leg of the call, if the reason ends the whole call.
    """
    policy = call.policy
    retry, timeout = policy.retry, policy.timeout
    return stop.reason.value.format(
        policy=policy,
        hold=policy.holding,
        retry=retry,
        limit=f"max_retries={call.retry_limit}" if retry is None else f"Retry.max_retries={retry.max_retries}",
        each=" for the primary and for each fallback" if leg else "",
        kind=RETRY_REASONS[failure.cause],
        asked=_short(failure.retry_after or 0.0),
        longest=_short(stop.seconds),
        wait=_short(stop.seconds),
        total=timeout.total if timeout is not None and timeout.total is not None else 0.0,
        text=stop.text,
        need=_RESUME_NEEDS[policy.resume],
        once=call.read_once,
    )


def _short(seconds: float) -> str:
    """Return ``seconds`` as a text with at most three decimals and no trailing zeros: "30", "0.5"."""
    return f"{seconds:.3f}".rstrip("0").rstrip(".")
