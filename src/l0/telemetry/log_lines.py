"""Turn the events of a call into log lines: one per recovery, and one per failure that could not be recovered.

Pure: events in, lines out. `call_log` writes them. A line quotes nothing of a prompt, an answer or an error's text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from logging import DEBUG, INFO, WARNING

from l0.model.call import Call, Outcome
from l0.model.call_events import AttemptEnded, BreakerChanged, CallEnded, CallEvent, RuleMatched, ShadowDecision
from l0.model.failure import Cause, Failure
from l0.model.text_safety import one_line

from .call_phrases import (
    BREAKER_TEXTS,
    DOUBTED,
    LONGEST,
    UNKNOWN_PROVIDER,
    breaker_change,
    call_name,
    doubt,
    recovered_by,
    rule_match,
    rule_reason,
    shadow_decision,
    what_follows,
)

Fields = Mapping[str, str | int | float]

_RULE_LEVELS = {"recorded": WARNING, "shadowed": DEBUG}
"""Levels of the actions of rules. A failed attempt and a halted call have their own line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """One line, before it is written. ``fields``: the ``extra`` of the record."""

    level: int
    text: str
    fields: Fields = field(default_factory=dict)

    @property
    def kind(self) -> tuple[str, str]:
        """Return the event and the cause: lines that share both are limited together."""
        return str(self.fields.get("l0_event", "")), str(self.fields.get("l0_cause", ""))

    @property
    def target(self) -> str:
        """Return provider and model."""
        names = (self.fields.get("l0_provider"), self.fields.get("l0_model"))
        return " ".join(str(name) for name in names if name and name != UNKNOWN_PROVIDER)


class CallLines:
    """The log lines of one call. It collects the failed attempts, so that the line of the call's end can name them.

    ``began``: the start of the call, in seconds of the monotonic clock.
    """

    __slots__ = ("_began", "_call", "_failed", "_lost_s")

    def __init__(self, call: Call, began: float) -> None:
        self._call = call
        self._began = began
        self._failed: list[tuple[int, Failure]] = []
        self._lost_s = 0.0

    def line(self, event: CallEvent) -> LogLine | None:
        """Return the line of one event, if it has one."""
        match event:
            case AttemptEnded(failure=Failure() as failure):
                return self._attempt_failed(event, failure)
            case RuleMatched():
                return self._rule_matched(event)
            case BreakerChanged():
                return self._breaker_changed(event)
            case ShadowDecision():
                return self._shadow_decision(event)
            case CallEnded(outcome=Outcome.FAILED, failure=Failure() as failure):
                return self._call_failed(event, failure)
            case CallEnded(outcome=Outcome.OK):
                return self._accepted(event)
            case CallEnded(outcome=outcome) if outcome is not Outcome.CANCELLED:
                return self._recovered(event)
        return None

    def _attempt_failed(self, event: AttemptEnded, failure: Failure) -> LogLine | None:
        self._failed.append((event.number, failure))
        self._lost_s = event.at - self._began + event.wait_s
        fields = self._fields(
            event.action or "",
            l0_cause=failure.cause.value,
            l0_attempt=event.number,
            l0_reason=event.stop_reason or failure.message,
            l0_request_id=event.request_id,
            l0_wait_seconds=event.wait_s,
        )
        following = what_follows(event)
        if following is None:
            return None  # the line of the call's end reports it
        text = f"{self._name}: attempt {event.number} failed ({failure}); {following}"
        if event.budget_refused:
            return LogLine(level=INFO, text=text, fields={**fields, "l0_event": "refused"})
        return LogLine(level=DEBUG, text=text, fields=fields)

    def _rule_matched(self, event: RuleMatched) -> LogLine:
        found = event.violation
        fields = self._fields("rule", l0_cause=one_line(found.rule, LONGEST), l0_reason=rule_reason(event))
        fields |= {"l0_action": event.action, "l0_severity": found.severity.value}
        text = f"{self._name}: {rule_match(event)}"
        return LogLine(level=_RULE_LEVELS.get(event.action, INFO), text=text, fields=fields)

    def _breaker_changed(self, event: BreakerChanged) -> LogLine:
        text = BREAKER_TEXTS[event.state]
        names = {"l0_provider": event.provider, "l0_model": one_line(event.model, LONGEST)}
        fields = self._fields("breaker", l0_cause=event.state, l0_reason=text, l0_policy_field="Policy.breaker") | names
        level = WARNING if event.state == "open" else INFO
        return LogLine(level=level, text=breaker_change(event), fields=fields)

    def _shadow_decision(self, event: ShadowDecision) -> LogLine:
        cause = event.cause.value if event.cause is not None else None
        fields = self._fields("shadow", l0_cause=cause, l0_wait_seconds=event.wait_s) | {"l0_action": event.action}
        return LogLine(level=DEBUG, text=f"{self._name}: {shadow_decision(event)}", fields=fields)

    def _recovered(self, ended: CallEnded) -> LogLine:
        recovery = f"{self._name}: recovered by {recovered_by(self._call, ended)}"
        text = "; ".join([recovery, *_described(self._failed, ended)])
        extra = max(ended.attempts - 1, 0)
        costs = [f"{extra} more request{'s' * (extra != 1)}"] if extra else []
        if self._lost_s:
            costs.append(f"{self._lost_s:.2f} s")
        if ended.wasted_tokens is not None:
            costs.append(f"{ended.wasted_tokens:,} tokens")
        if costs:
            text = f"{text}; cost: {', '.join(costs)}"
        last = ended.failures[-1] if ended.failures else None
        fields = self._end_fields(
            "recovered", ended, last, l0_lost_seconds=self._lost_s, l0_reason=last.message if last is not None else None
        )
        reason = doubt(self._call, ended)
        if reason is not None:
            return LogLine(level=WARNING, text=f"{text}; {DOUBTED}: {reason}", fields=fields)
        return LogLine(level=INFO, text=text, fields=fields)

    def _call_failed(self, ended: CallEnded, failure: Failure) -> LogLine:
        count = f"after {ended.attempts} attempt{'s' * (ended.attempts > 1)}" if ended.attempts else "without a request"
        text = f"{self._name}: failed {count}: {failure}"
        if ended.stop_reason:
            text = f"{text}; no further attempt: {ended.stop_reason}"
        earlier = [(number, other) for number, other in self._failed if str(other) != str(failure)]
        text = "; ".join([text, *_described(earlier, None)])
        fields = self._end_fields(
            "failed",
            ended,
            failure,
            l0_reason=ended.stop_reason or failure.message,
            l0_policy_field=ended.policy_field or None,
            l0_request_id=failure.request_id,
            l0_duration_seconds=ended.at - self._began,
        )
        return LogLine(level=WARNING, text=text, fields=fields)

    def _accepted(self, ended: CallEnded) -> LogLine | None:
        """Return the line of an answer that was accepted although its end was missing."""
        reason = doubt(self._call, ended)
        if reason is None:
            return None
        fields = self._fields(
            "accepted", l0_cause=Cause.TRUNCATED.value, l0_reason=reason, l0_policy_field="Policy.truncation"
        )
        return LogLine(level=WARNING, text=f"{self._name}: {DOUBTED}: {reason}", fields=fields)

    def _end_fields(
        self, event: str, ended: CallEnded, failure: Failure | None, **more: str | float | None
    ) -> dict[str, str | int | float]:
        return self._fields(
            event,
            l0_cause=failure.cause.value if failure is not None else None,
            l0_attempts=ended.attempts,
            l0_outcome=ended.outcome.value,
            l0_wasted_tokens=ended.wasted_tokens,
            **more,
        )

    @property
    def _name(self) -> str:
        return call_name(self._call)

    def _fields(self, event: str, **more: str | float | None) -> dict[str, str | int | float]:
        fields: dict[str, str | int | float] = {
            "l0_event": event,
            "l0_provider": self._call.provider,
            "l0_model": one_line(self._call.model, LONGEST),
            "l0_operation": self._call.operation,
        }
        for name, value in more.items():
            if value is not None:
                fields[name] = one_line(str(value), LONGEST) if name == "l0_request_id" else value
        return fields


def _described(failed: Sequence[tuple[int, Failure]], ended: CallEnded | None) -> list[str]:
    """Return which attempts failed and why, each reason once. ``ended``: to add the legs that open breakers skipped."""
    by_reason: dict[str, list[str]] = {}
    for number, failure in failed:
        by_reason.setdefault(str(failure), []).append(str(number))
    texts = [
        f"attempt{'s' * (len(numbers) > 1)} {', '.join(numbers)} failed ({reason})"
        for reason, numbers in by_reason.items()
    ]
    others = ended.failures if ended is not None else ()
    return texts + [str(failure) for failure in others if failure.cause is Cause.BREAKER_OPEN]
