"""Describe the course of a recorded call: its attempts, the engine's signals and commands, and what decided them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from enum import Enum
from itertools import pairwise
from typing import Any

from l0.engine.commands import Finish, Raise, Wait
from l0.engine.signals import Closed, Ended, Failed, Released, Slow, Waited
from l0.engine.stop_reasons import NO_STOP, Stop, describe_stop, policy_field
from l0.model.attempt import AttemptSpec
from l0.model.call import Call
from l0.model.durations import NOTABLE_GAP_S, NOTABLE_PROGRAM_S
from l0.model.failure import MEANINGS, Cause, Failure
from l0.model.policy import Policy

from .arrived_text import arrived_text
from .recording import RecordedAttempt, RecordedCall, RecordedDecision

_HOPELESS = "a retry cannot help"
"""The reason if the message of the failure is explanation enough for an exception."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoryEvent:
    """One event of a call. ``at``: seconds since the start of the call. ``subject``: ``"attempt 1"``, ``"signal"``,
    ``"decision"``, ``"policy"`` or ``"end"``. ``field``: the field of the policy that decided, with its value; empty if
    none did."""

    at: float
    subject: str
    text: str
    field: str = ""


def call_story(recorded: RecordedCall) -> list[StoryEvent]:
    """Return the events of a call, in order of time."""
    call = recorded.call
    found = [event for attempt in recorded.attempts for event in _attempt(call, attempt)]
    found += [event for attempt in recorded.attempts for event in _longest_gap(recorded, attempt)]
    found += [event for attempt in recorded.attempts for event in _program_time(attempt)]
    decisions = recorded.decisions
    failures: list[Failure] = []
    leg = retries = 0  # retries on one leg: each leg has its own count
    for decision, following in pairwise([*decisions, None]):
        assert decision is not None  # only the last one is
        if isinstance(decision.command, AttemptSpec) and decision.command.leg != leg:
            leg, retries = decision.command.leg, 0
        retries += isinstance(decision.command, Wait)
        found += _decision(call, decision, following, failures, retries)
        if isinstance(decision.signal, Failed):
            failures.append(decision.signal.failure)
    changes = "; ".join(_changes(call.policy, Policy()))
    found.sort(key=lambda event: event.at)
    return [StoryEvent(at=0.0, subject="policy", text=changes or "the default"), *found, _end(recorded)]


def _attempt(call: Call, attempt: RecordedAttempt) -> Iterator[StoryEvent]:
    subject, request = f"attempt {attempt.number}", attempt.request
    sent = f"{request['method']} {request['path']}, {_bytes(request.get('bytes'))}" if request else "a source is called"
    sent += _media(request)
    what = "hedge: " if attempt.hedge else f"{_leg(call, attempt.leg)}: " if attempt.leg else ""
    yield StoryEvent(at=attempt.started, subject=subject, text=f"{what}{sent}")
    if attempt.head_at is not None:
        # The head of a failed attempt may be recorded only after the attempt's end.
        at = attempt.head_at if attempt.ended is None else min(attempt.head_at, attempt.ended)
        yield StoryEvent(at=at, subject=subject, text=f"status {attempt.status}")
    if attempt.ended is not None and request:
        size = _bytes(sum(len(read.data) for read in attempt.reads))
        text = f"{_ENDINGS[attempt.ending]} after {_count(len(attempt.reads), 'read')}, {size}"
        yield StoryEvent(at=attempt.ended, subject=subject, text=text)


def _longest_gap(recorded: RecordedCall, attempt: RecordedAttempt) -> Iterator[StoryEvent]:
    """Report the longest gap between two reads that brought content, if it is notable. The program's time is no part of
    it."""
    parts = zip(attempt.reads, arrived_text(recorded, attempt), attempt.program_s(), strict=True)
    arrived = [(read.at, read.at - program_s, len(content)) for read, content, program_s in parts if content]
    tokens, longest, gap_event = 0, NOTABLE_GAP_S, None
    for (at, waited, count), (_, following, _) in pairwise(arrived):
        tokens += count
        if following - waited >= longest:
            longest = following - waited
            text = f"longest gap: {longest:.2f} s without content after {_count(tokens, 'token')}"
            gap_event = StoryEvent(at=at, subject=f"attempt {attempt.number}", text=text)
    if gap_event is not None:
        yield gap_event


def _program_time(attempt: RecordedAttempt) -> Iterator[StoryEvent]:
    """Report the time that the program took between reads, if it is notable: it makes a fast provider seem slow."""
    program_s = attempt.program_s()
    if program_s and program_s[-1] >= NOTABLE_PROGRAM_S:
        text = f"{program_s[-1]:.2f} s of this passed in your program between reads, not at the provider"
        yield StoryEvent(at=attempt.reads[-1].at, subject=f"attempt {attempt.number}", text=text)


def _media(request: Mapping[str, Any]) -> str:
    """Return the images, sounds and files of a request, each type once."""
    grouped: dict[str, list[int]] = {}
    for payload in request.get("media") or ():
        grouped.setdefault(payload.get("mime_type") or payload["kind"], []).append(payload.get("bytes", 0))
    return "".join(f"; {len(sizes)} {kind}, {_bytes(sum(sizes))}" for kind, sizes in grouped.items())


_ENDINGS = {
    "eof": "complete body",
    "error": "broken",
    "closed": "closed by the client",
    "lost": "dropped, as another attempt was faster;",
    None: "given up",
}


def _decision(
    call: Call,
    decision: RecordedDecision,
    following: RecordedDecision | None,
    failures: Sequence[Failure],
    retries: int,
) -> Iterator[StoryEvent]:
    text, field = _signal(call, decision)
    if text:
        yield StoryEvent(at=decision.at, subject="signal", text=text, field=field)
    text, field = _command(call, decision, following, failures, retries)
    if text:
        yield StoryEvent(at=decision.at, subject="decision", text=text, field=field)


def _signal(call: Call, decision: RecordedDecision) -> tuple[str, str]:
    """Return the text of a signal, and the field that made it a failure; empty if the attempts' lines say it
    already."""
    match decision.signal:
        case Slow():
            return "no content yet: the attempt is slow", _value(call, "Policy.hedge")
        case Released():
            return "the first content goes to the user: the commit point", ""
        case Ended(missing=None):
            return "the answer is complete", ""
        case Ended(missing=missing):
            decided = missing is Cause.TRUNCATED and call.policy.truncation is not None
            field = "Policy.truncation" if decided else ""
            return f"{missing}: {MEANINGS[missing]}" if missing is not None else "", _value(call, field)
        case Failed(failure=failure):
            return str(failure), _value(call, policy_field(NO_STOP, call, failure))
        case Closed():
            return "the user closed the call", ""
    return "", ""


def _command(
    call: Call,
    decision: RecordedDecision,
    following: RecordedDecision | None,
    failures: Sequence[Failure],
    retries: int,
) -> tuple[str, str]:
    """Return the text of a command, and the field that decided it; empty if the attempts' lines say it already."""
    match decision.command:
        case AttemptSpec(hedge=True, number=number):
            return f"send attempt {number} beside it", _value(call, "Policy.hedge")
        case AttemptSpec() if isinstance(decision.signal, Slow):
            refusal = next((str(result) for name, result in decision.inputs if result is not True), "")
            return f"keep waiting{f': {refusal}' if refusal else ''}", "Policy.budget" if refusal else ""
        case Wait() as wait:
            return _wait(call, decision, wait, following, failures, retries)
        case Raise(failure=failure, stop=stop):
            reason = describe_stop(stop, call, failure) or _HOPELESS
            field = "" if stop == NO_STOP else _value(call, policy_field(stop, call, failure))
            return f"raise the error: {reason}", field
        case Finish(anomalies=[_, *_] as anomalies):
            return f"accept the answer in spite of: {', '.join(anomalies)}", _value(call, "Policy.truncation")
    return "", ""


def _wait(
    call: Call,
    decision: RecordedDecision,
    wait: Wait,
    following: RecordedDecision | None,
    failures: Sequence[Failure],
    retries: int,
) -> tuple[str, str]:
    """Return how the call goes on after a failure, and the field that allows it.

    ``retries``: the number of retries on this leg, with this one.
    """
    spec = following.command if following is not None else None
    vetoed = isinstance(decision.signal, Waited) and failures
    failure = decision.signal.failure if isinstance(decision.signal, Failed) else failures[-1] if vetoed else None
    if isinstance(wait.stop, Stop) and failure is not None:
        leg = _leg(call, spec.leg) if isinstance(spec, AttemptSpec) else "the next fallback"
        reason = describe_stop(wait.stop, call, failure) or _HOPELESS
        return f"go on with {leg}, because {reason}", _value(call, "Policy.fallback")
    when = f"in {wait.seconds:.3f} s ({_delay(call, decision, wait, failure)})"
    if isinstance(spec, AttemptSpec) and spec.resume is not None:
        received = len(spec.resume_state.text) if spec.resume_state is not None else 0
        return f"resume the answer after {_count(received, 'character')} {when}", _value(call, "Policy.resume")
    used = f", this is retry {retries}" if retries > 1 else ""
    limit = _value(call, "max_retries" if call.policy.retry is None else "Retry.max_retries")
    return f"retry {when}", f"{limit}{used}"


def _delay(call: Call, decision: RecordedDecision, wait: Wait, failure: Failure | None) -> str:
    """Return the reason for the length of a wait."""
    retry_after_s = failure.retry_after if failure is not None else None
    if retry_after_s is not None and wait.seconds >= retry_after_s > 0:
        return f"the server asked for {retry_after_s:g} s"
    if any(name == "backoff" for name, _ in decision.inputs):
        return "the delay of the SDK"
    if call.policy.retry is None:
        return "the first retry does not wait"
    return f"Retry.strategy={call.policy.retry.strategy}"


def _end(recorded: RecordedCall) -> StoryEvent:
    if recorded.outcome is None:
        at = max((decision.at for decision in recorded.decisions), default=0.0)
        return StoryEvent(at=at, subject="end", text="the recording ends before the call")
    got = f"{_count(recorded.delivered_items, 'item')}, {_count(recorded.delivered_chars, 'character')}"
    text = f"{recorded.outcome}: the user got {got}"
    lost = "; some reads were not recorded" if recorded.incomplete else ""
    return StoryEvent(at=recorded.duration_s or 0.0, subject="end", text=f"{text}{lost}")


def _value(call: Call, field: str) -> str:
    """Return a field such as ``"Timeout.total"`` with its value in this call; empty if ``field`` is."""
    if not field:
        return ""
    owner, _, name = field.rpartition(".")
    holder = {"": call, "Policy": call.policy, "Retry": call.policy.retry, "Timeout": call.policy.timeout}[owner]
    if holder is None:
        return field
    value = call.retry_limit if holder is call else getattr(holder, name)
    return f"{field}={_shown(value)}{' ms' if owner == 'Timeout' else ''}"


def _shown(value: Any) -> str:
    """Return a value of a policy in short: of a nested one only the fields that are not the default."""
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, tuple | list) and value:
        return f"[{', '.join(map(_shown, value))}]"
    if is_dataclass(value) and type(value).__module__ == Policy.__module__:
        return f"{type(value).__name__}({', '.join(_changes(value, None))})"
    return str(value) if is_dataclass(value) else repr(value)


def _changes(value: Any, default: Any) -> Iterator[str]:
    """Yield the fields that differ from ``default``; from the defaults of their class if it is ``None``."""
    for field in fields(value):
        present = getattr(value, field.name)
        usual = getattr(default, field.name) if default is not None else field.default
        if present != usual and not (field.name == "fallback" and not present):
            yield f"{field.name}={_shown(present)}"


def _leg(call: Call, leg: int) -> str:
    return f"fallback {leg} ({call.leg_name(leg)})"


def _bytes(number: int | None) -> str:
    return "a body of unknown size" if number is None else _count(number, "byte")


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
