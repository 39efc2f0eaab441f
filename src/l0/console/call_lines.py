"""Describe a call that has ended: one line, and under it a tree of attempts and notes, if there are any. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from l0.model.attempt import AttemptSpec
from l0.model.call import Call, Outcome
from l0.model.call_events import (
    AttemptEnded,
    AttemptStarted,
    BreakerChanged,
    CallEnded,
    CallEvent,
    RuleMatched,
    ShadowDecision,
)
from l0.model.durations import NOTABLE_PROGRAM_S
from l0.model.failure import Cause
from l0.model.text_safety import one_line
from l0.telemetry import call_phrases as phrases
from l0.telemetry.attributes import cancelled_in_backoff

from .layout import ConsoleLayout, Signs
from .line import NO_BREAK, Line, Part, Style

_MAX_NOTES = 20
"""Rule matches and other notes that are shown for one call, beside its attempts."""

_SLOW_S = 1.0
"""Seconds from which the line of a recorded call shows its id, with which `l0 explain` finds it."""
_ID_CHARS = 8
"""Characters of the id that are shown: `l0 explain` takes the beginning of an id."""


@dataclass(frozen=True, slots=True)
class _Entry:
    """One entry of the tree. ``seconds``: the duration of an attempt."""

    text: str
    style: Style
    seconds: float | None = None


def call_lines(
    call: Call, events: Sequence[CallEvent], ended: CallEnded, clock: str, layout: ConsoleLayout
) -> list[Line]:
    """Return the lines of a call. ``events``: those before its end. ``clock``: the time of day."""
    indent, signs = " " * (len(clock) + 1), layout.signs
    sign, style, result = _result(call, ended, signs)
    entries = _entries(call, events, ended)
    head: list[Part] = [(f"{clock} ", "dim"), (sign, style), (f" {_time(_duration(events, ended))}  ", "dim")]
    head.append((phrases.call_name(call), "strong"))
    if result:
        head.append((f"  {result}", style))
    head.extend((f"  {figure}", "dim") for figure in _figures(call, ended))
    blank = " " * (len(_time(0.0)) + 2)
    stem = signs.stem if entries else " "
    lines = [Line(tuple(head), hang=f"{indent}{stem} {blank}")]
    for number, entry in enumerate(entries, 1):
        last = number == len(entries)
        branch = signs.last_branch if last else signs.branch
        time = f" {_time(entry.seconds)}  " if entry.seconds is not None else f" {blank}"
        parts: tuple[Part, ...] = ((f"{indent}{branch}{time}", "dim"), (entry.text, entry.style))
        lines.append(Line(parts, hang=f"{indent}{' ' if last else signs.stem} {blank}"))
    return lines


def _time(seconds: float) -> str:
    return f"{seconds:>6.2f} s"


def _duration(events: Sequence[CallEvent], ended: CallEnded) -> float:
    if ended.stream_stats is not None:
        return ended.stream_stats.duration
    return next((ended.at - event.at for event in events if isinstance(event, AttemptStarted)), 0.0)


def _result(call: Call, ended: CallEnded, signs: Signs) -> tuple[str, Style, str]:
    """Return the sign, the style and the words for the result."""
    if ended.outcome is Outcome.FAILED:
        return signs.failed, "bad", _failed(ended)
    if ended.outcome is Outcome.CANCELLED:
        return signs.cancelled, "dim", "cancelled"
    recovered = "" if ended.outcome is Outcome.OK else f"recovered by {phrases.recovered_by(call, ended)}"
    reason = phrases.doubt(call, ended)
    if reason is not None:
        doubted = f"{phrases.DOUBTED}: {reason}"
        return signs.doubtful, "odd", f"{recovered}; {doubted}" if recovered else doubted
    return (signs.recovered, "odd", recovered) if recovered else (signs.whole, "good", "")


def _failed(ended: CallEnded) -> str:
    text = "failed" if ended.attempts == 1 else f"failed after {ended.attempts} attempts"
    if not ended.attempts:
        text = "failed without a request"
    if ended.failure is not None:
        # One of several attempts has the same failure on its own line.
        shown = ended.attempts > 1 and ended.failure in ended.failures
        text = f"{text}: {ended.failure.cause.value if shown else ended.failure}"
    return f"{text}; no further attempt: {ended.stop_reason}" if ended.stop_reason else text


def _figures(call: Call, ended: CallEnded) -> Iterator[str]:
    stats, metadata = ended.stream_stats, ended.metadata
    if call.streaming and stats is not None and stats.first_chunk is not None:
        yield f"first token {stats.first_chunk:.2f} s"
    if stats is not None and stats.program_s >= NOTABLE_PROGRAM_S:
        yield f"in your program {stats.program_s:.2f} s"
    if metadata is not None and metadata.input_tokens is not None and metadata.output_tokens is not None:
        both = metadata.input_tokens + metadata.output_tokens
        wasted = f"; {ended.wasted_tokens:,} of these {both:,} wasted" if ended.wasted_tokens else ""
        yield f"tokens {metadata.input_tokens:,} in, {metadata.output_tokens:,} out{wasted}".replace(" ", NO_BREAK)
    elif ended.wasted_tokens:
        yield f"{ended.wasted_tokens:,} wasted tokens"
    if ended.failure is not None and ended.failure.request_id is not None:
        yield f"request {one_line(ended.failure.request_id, phrases.LONGEST)}".replace(" ", NO_BREAK)
    elif ended.recorded_as and stats is not None and stats.duration >= _SLOW_S:
        yield f"call {ended.recorded_as[:_ID_CHARS]}".replace(" ", NO_BREAK)


def _entries(call: Call, events: Sequence[CallEvent], ended: CallEnded) -> list[_Entry]:
    """Return the attempts, if there were several or the user stopped the call in a backoff, and the notes: rule
    matches, breaker changes, shadow decisions."""
    entries: list[_Entry] = []
    started: dict[int, AttemptStarted] = {}
    refused = [failure for failure in ended.failures if failure.cause is Cause.BREAKER_OPEN]
    if ended.attempts and ended.outcome is not Outcome.FAILED:
        entries += [_Entry(str(failure), "odd") for failure in refused]  # no request, so no attempt
    shows_attempts = ended.attempts > 1 or cancelled_in_backoff(ended)
    for event in events:
        match event:
            case AttemptStarted():
                started[event.attempt.number] = event
            case AttemptEnded() if shows_attempts and event.number in started:
                begun = started.pop(event.number)
                entries.append(_attempt(call, begun.attempt, event, ended, event.at - begun.at))
            case RuleMatched() | BreakerChanged() | ShadowDecision():
                entries.append(_note(event))
    if shows_attempts:
        entries += [
            _Entry(f"{_attempt_name(call, event.attempt)} was not finished", "dim", ended.at - event.at)
            for event in started.values()
        ]
    more = len(entries) - _MAX_NOTES - ended.attempts
    return [*entries[:-more], _Entry(f"and {more} more", "dim")] if more > 0 else entries


def _attempt(call: Call, attempt: AttemptSpec, event: AttemptEnded, ended: CallEnded, seconds: float) -> _Entry:
    name = _attempt_name(call, attempt)
    if event.failure is None:
        if event.lost:
            return _Entry(f"{name} was slower, and is closed", "dim", seconds)
        cancelled = ended.outcome is Outcome.CANCELLED
        return _Entry(f"{name} {'was cancelled' if cancelled else 'answered'}", "dim" if cancelled else "good", seconds)
    text = f"{name} failed ({event.failure})"
    following = phrases.what_follows(event)
    return _Entry(f"{text}; {following}" if following else text, "bad", seconds)


def _attempt_name(call: Call, attempt: AttemptSpec) -> str:
    name = f"attempt {attempt.number}"
    if attempt.leg:
        name = f"{name}, {phrases.fallback_name(call, attempt.leg)},"
    return f"{name}, the parallel request," if attempt.hedge else name


def _note(event: RuleMatched | BreakerChanged | ShadowDecision) -> _Entry:
    match event:
        case RuleMatched():
            return _Entry(phrases.rule_match(event), "odd")
        case BreakerChanged():
            return _Entry(phrases.breaker_change(event), "good" if event.state == "closed" else "odd")
    return _Entry(phrases.shadow_decision(event), "dim")
