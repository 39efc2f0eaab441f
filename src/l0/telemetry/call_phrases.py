"""Describe the events of a call in words, for log lines and the console.

The texts quote nothing of a prompt, an answer or an error's text.
"""

from __future__ import annotations

from l0.model.call import Call, Outcome
from l0.model.call_events import AttemptEnded, BreakerChanged, CallEnded, RuleMatched, ShadowDecision
from l0.model.failure import Cause
from l0.model.text_safety import one_line

LONGEST = 128
"""Maximum characters of a name that comes from outside: a model, a rule, a request id."""
UNKNOWN_PROVIDER = "unknown"
"""The provider name of a call through the explicit API, which does not know the provider."""
DOUBTED = "accepted, but perhaps truncated"
"""The phrase for an answer that was accepted although its end was missing."""
BREAKER_TEXTS = {
    "open": "opened: calls are refused, because too many failed",
    "half_open": "half-opened: one call at a time tests the provider",
    "closed": "closed: the provider answers again",
}


def call_name(call: Call) -> str:
    """Return provider, operation and model."""
    names = (call.provider, call.operation, one_line(call.model, LONGEST))
    return " ".join(name for name in names if name and name != UNKNOWN_PROVIDER)


def fallback_name(call: Call, leg: int) -> str:
    """Return the number of a fallback, its model, and its server if that is not the primary's."""
    return f"fallback {leg} ({one_line(call.leg_name(leg), LONGEST)})"


def what_follows(event: AttemptEnded) -> str | None:
    """Return what the engine does after a failed attempt; ``None`` if the report of the call's end includes it."""
    match event.action:
        case "retry":
            return f"retry {_after(event.wait_s)}"
        case "resume":
            return f"resume the answer {_after(event.wait_s)}"
        case "fallback":
            return f"go on with the next fallback{f', because {event.stop_reason}' if event.stop_reason else ''}"
    return None


def _after(wait_s: float) -> str:
    return f"in {wait_s:.2f} s" if wait_s >= 0.005 else "at once"


def rule_reason(event: RuleMatched) -> str:
    """Return the rule's message, or a text without quotations if the message may quote the answer."""
    return one_line(event.violation.plain, 2 * LONGEST)


def rule_match(event: RuleMatched) -> str:
    """Return which rule matched, where, and with which effect."""
    found = event.violation
    return f"rule {one_line(found.rule, LONGEST)} at character {found.at} ({event.action}): {rule_reason(event)}"


def breaker_change(event: BreakerChanged) -> str:
    """Return which breaker changed, and what its new state means."""
    return f"{event.provider} {one_line(event.model, LONGEST)}: the circuit breaker {BREAKER_TEXTS[event.state]}"


def shadow_decision(event: ShadowDecision) -> str:
    """Return the decision of a policy that only observes."""
    text = f"in shadow mode the policy would {'fall back' if event.action == 'fallback' else event.action}"
    if event.cause is not None:
        text = f"{text} because of {event.cause.value}"
    return text if event.wait_s is None else f"{text} (after {event.wait_s:.2f} s)"


def recovered_by(call: Call, ended: CallEnded) -> str:
    """Return what recovered the call."""
    match ended.outcome:
        case Outcome.RECOVERED_RESUME:
            point = ended.resume_points[-1]
            return f"resume ({point.strategy}) at character {point.at}"
        case Outcome.RECOVERED_FALLBACK:
            return fallback_name(call, ended.leg)
        case Outcome.RECOVERED_HEDGE:
            return "hedge: the parallel request brought content first"
    return "retry"


def doubt(call: Call, ended: CallEnded) -> str | None:
    """Return the reason why an accepted answer may be truncated, if there is one."""
    if not is_doubtful(ended):
        return None
    origin = call.terminal_rule(ended.leg).origin
    return f"the stream from {origin} ended without its terminal event; Policy.truncation is not strict for it"


def is_doubtful(ended: CallEnded) -> bool:
    """Return True if an answer was accepted although its end was missing."""
    return ended.metadata is not None and Cause.TRUNCATED.value in ended.metadata.anomalies
