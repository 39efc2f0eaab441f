"""Turn the events of a call into log lines: one per recovery, and one per failure that could not be healed.

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

Fields = Mapping[str, str | int | float]

_DOUBTED = "accepted, but perhaps truncated"
_LONGEST = 128
"""Characters of a name that comes from outside: a model, a rule, a request id."""
_UNKNOWN_PROVIDER = "unknown"
"""The provider of a source of the explicit API."""
_BREAKER_TEXTS = {
    "open": (WARNING, "opened: calls are refused, as too many failed"),
    "half_open": (INFO, "half-opened: one call at a time tests the provider"),
    "closed": (INFO, "closed: the provider answers again"),
}
_RULE_LEVELS = {"recorded": WARNING, "shadowed": DEBUG}
"""Levels of the actions of rules. A failed attempt and a halted call have a line of their own."""


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
        return " ".join(str(name) for name in names if name and name != _UNKNOWN_PROVIDER)


class CallLines:
    """The log lines of one call. It collects the failed attempts, so that the line of the end can name them.

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
            l0_reason=event.stop or failure.message,
            l0_request_id=event.request_id,
            l0_seconds=event.wait_s,
        )
        text = f"{self._name}: attempt {event.number} failed ({failure})"
        match event.action:
            case "retry":
                text = f"{text}; it is repeated in {event.wait_s:.2f} s"
            case "resume":
                text = f"{text}; the answer is resumed in {event.wait_s:.2f} s"
            case "fall_over":
                text = f"{text}; the next fallback follows{_because(event.stop)}"
            case _:
                return None  # the line of the call says it
        if event.refused:
            return LogLine(level=INFO, text=text, fields={**fields, "l0_event": "refused"})
        return LogLine(level=DEBUG, text=text, fields=fields)

    def _rule_matched(self, event: RuleMatched) -> LogLine:
        found = event.violation
        rule = one_line(found.rule, _LONGEST)
        fields = self._fields("rule", l0_cause=rule, l0_reason=one_line(found.plain, 2 * _LONGEST))
        fields |= {"l0_action": event.action, "l0_severity": found.severity.value}
        text = f"{self._name}: rule {rule} at character {found.at} ({event.action}): {fields['l0_reason']}"
        return LogLine(level=_RULE_LEVELS.get(event.action, INFO), text=text, fields=fields)

    def _breaker_changed(self, event: BreakerChanged) -> LogLine:
        level, what = _BREAKER_TEXTS[event.state]
        names = {"l0_provider": event.provider, "l0_model": one_line(event.model, _LONGEST)}
        fields = self._fields("breaker", l0_cause=event.state, l0_reason=what, l0_policy_field="Policy.breaker") | names
        text = f"{' '.join(names.values())}: the circuit breaker {what}"
        return LogLine(level=level, text=text, fields=fields)

    def _shadow_decision(self, event: ShadowDecision) -> LogLine:
        cause = event.cause.value if event.cause is not None else None
        fields = self._fields("shadow", l0_cause=cause, l0_seconds=event.seconds) | {"l0_action": event.action}
        text = f"{self._name}: in shadow mode the policy would {event.action.replace('_', ' ')}"
        if cause is not None:
            text = f"{text} because of {cause}"
        if event.seconds is not None:
            text = f"{text} (after {event.seconds:.2f} s)"
        return LogLine(level=DEBUG, text=text, fields=fields)

    def _recovered(self, ended: CallEnded) -> LogLine:
        text = "; ".join([f"{self._name}: recovered by {self._healed_by(ended)}", *_described(self._failed, ended)])
        extra = max(ended.attempts - 1, 0)
        costs = [f"{extra} more request{'s' * (extra != 1)}"] if extra else []
        if self._lost_s:
            costs.append(f"{self._lost_s:.2f} s")
        if ended.wasted_tokens is not None:
            costs.append(f"{ended.wasted_tokens:,} tokens")
        if costs:
            text = f"{text}; cost: {', '.join(costs)}"
        last = ended.failures[-1] if ended.failures else None
        fields = self._ended(
            "recovered", ended, last, l0_seconds=self._lost_s, l0_reason=last.message if last is not None else None
        )
        doubt = self._doubt(ended)
        if doubt is not None:
            return LogLine(level=WARNING, text=f"{text}; {_DOUBTED}: {doubt}", fields=fields)
        return LogLine(level=INFO, text=text, fields=fields)

    def _healed_by(self, ended: CallEnded) -> str:
        match ended.outcome:
            case Outcome.RECOVERED_RESUME:
                point = ended.resume_points[-1]
                return f"resume ({point.strategy}) at character {point.at}"
            case Outcome.RECOVERED_FALLBACK:
                model = self._call.policy.legs[ended.leg - 1].model or self._call.model
                return f"fallback {ended.leg} ({one_line(model, _LONGEST)})"
            case Outcome.RECOVERED_HEDGE:
                return "hedge: the parallel request brought content first"
        return "retry"

    def _call_failed(self, ended: CallEnded, failure: Failure) -> LogLine:
        count = f"after {ended.attempts} attempt{'s' * (ended.attempts > 1)}" if ended.attempts else "without a request"
        text = f"{self._name}: failed {count}: {failure}"
        if ended.stop:
            text = f"{text}; no further attempt: {ended.stop}"
        earlier = [(number, one) for number, one in self._failed if str(one) != str(failure)]
        text = "; ".join([text, *_described(earlier, None)])
        fields = self._ended(
            "failed",
            ended,
            failure,
            l0_reason=ended.stop or failure.message,
            l0_policy_field=ended.policy_field or None,
            l0_request_id=failure.request_id,
            l0_seconds=ended.at - self._began,
        )
        return LogLine(level=WARNING, text=text, fields=fields)

    def _accepted(self, ended: CallEnded) -> LogLine | None:
        """Return the line of an answer that was accepted although its end was missing."""
        doubt = self._doubt(ended)
        if doubt is None:
            return None
        fields = self._fields(
            "accepted", l0_cause=Cause.TRUNCATED.value, l0_reason=doubt, l0_policy_field="Policy.truncation"
        )
        return LogLine(level=WARNING, text=f"{self._name}: {_DOUBTED}: {doubt}", fields=fields)

    def _doubt(self, ended: CallEnded) -> str | None:
        """Return the reason why an accepted answer may be truncated, if there is one."""
        if ended.metadata is None or Cause.TRUNCATED.value not in ended.metadata.anomalies:
            return None
        origin = self._call.terminal_rule(ended.leg).origin
        return f"the stream from {origin} ended without its terminal event; Policy.truncation is not strict for it"

    def _ended(
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
        names = (self._call.provider, self._call.operation, one_line(self._call.model, _LONGEST))
        return " ".join(name for name in names if name and name != _UNKNOWN_PROVIDER)

    def _fields(self, event: str, **more: str | float | None) -> dict[str, str | int | float]:
        fields: dict[str, str | int | float] = {
            "l0_event": event,
            "l0_provider": self._call.provider,
            "l0_model": one_line(self._call.model, _LONGEST),
            "l0_operation": self._call.operation,
        }
        for name, value in more.items():
            if value is not None:
                fields[name] = one_line(str(value), _LONGEST) if name == "l0_request_id" else value
        return fields


def _described(failed: Sequence[tuple[int, Failure]], ended: CallEnded | None) -> list[str]:
    """Return which attempts failed and why, each reason once. ``ended``: to add open breakers, which had no attempt."""
    numbers: dict[str, list[str]] = {}
    for number, failure in failed:
        numbers.setdefault(str(failure), []).append(str(number))
    texts = [f"attempt{'s' * (len(of) > 1)} {', '.join(of)} failed ({reason})" for reason, of in numbers.items()]
    others = ended.failures if ended is not None else ()
    return texts + [str(failure) for failure in others if failure.cause is Cause.BREAKER_OPEN]


def _because(stop: str) -> str:
    return f", as {stop}" if stop else ""
