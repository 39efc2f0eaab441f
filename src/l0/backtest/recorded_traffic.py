"""The calls of a recording, ready to be run under a policy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Self

from l0.engine.commands import Command
from l0.model.attempt import AttemptSpec
from l0.model.call import Call, Outcome
from l0.model.policy import OrderMode, ResumeMode
from l0.recording.recording import RecordedAttempt, RecordedCall, Recording, RecordingPath

from .attempt_pool import AttemptGroup, AttemptPool, Donor
from .attempt_timeline import AttemptTimeline
from .call_result import CallResult, Verdict
from .timeline_reader import UnreadableAttemptError, timeline_of

_HOUR = 3600.0
_StreamSource = tuple[str, str, str]
"""Host with its port, dialect, and model of a stream: a recording has no base URLs, so it is no `StreamSource`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnAttempt:
    """A recorded attempt of a call, used again if a policy makes the same one. ``started``: seconds since the call."""

    leg: int
    hedge: bool
    resume: ResumeMode | None
    started: float
    timeline: AttemptTimeline


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficCall:
    """One recorded call. ``number``: its index in the traffic. ``recorded``: what its user got.

    ``prompt_bytes``: the size of its first request. ``terminal_event_seen``: an earlier stream of the same model at the
    same server brought its terminal event. ``not_runnable``: why the call cannot be run; empty if it can.
    """

    number: int
    started_unix: float
    call: Call
    attempts: Sequence[OwnAttempt]
    recorded: CallResult
    base_url: str
    prompt_bytes: int
    terminal_event_seen: bool
    not_runnable: str = ""


class RecordedTraffic:
    """Recorded calls, oldest first, and the pool of their attempts.

    ``path``: the recording. ``order``: the `Policy.order` with which its answers were read. ``skipped``: the number of
    records of the explicit API that were left out, because the SDK calls that they made are in ``calls``.
    """

    def __init__(
        self,
        calls: Sequence[TrafficCall],
        *,
        path: RecordingPath | None = None,
        order: OrderMode = "evidence",
        skipped: int = 0,
    ) -> None:
        self.calls = calls
        self.path = path
        self.order = order
        self.skipped = skipped
        self.pool = AttemptPool([donor for call in calls if not call.not_runnable for donor in _donors(call)])

    @classmethod
    def load(cls, path: RecordingPath, order: OrderMode = "evidence") -> Self:
        """Read a file, a folder or several of them. ``order``: the `Policy.order` with which the answers are read."""
        calls: list[TrafficCall] = []
        skipped, terminal_event_sources = 0, set[_StreamSource]()
        with Recording.open(path) as recording:
            for recorded in recording:
                attempts = recorded.attempts
                if any(attempt.request for attempt in attempts) or recorded.call.host:
                    calls.append(_prepared(recorded, attempts, len(calls), order, terminal_event_sources))
                else:
                    skipped += 1
        return cls(calls, path=path, order=order, skipped=skipped)


def group_of(call: Call, host: str, model: str, resume: ResumeMode | None, at_unix: float) -> AttemptGroup:
    """Return the group of an attempt that started at ``at_unix``, in seconds since the Unix epoch."""
    return AttemptGroup(host, model, call.dialect, call.streaming, resume, int(at_unix // _HOUR))


def _donors(call: TrafficCall) -> Iterator[tuple[AttemptGroup, Donor]]:
    for attempt in call.attempts:
        host, model = _recorded_target(call.call, attempt.leg)
        group = group_of(call.call, host, model, attempt.resume, call.started_unix + attempt.started)
        yield group, Donor(call.number, attempt.timeline)


def _recorded_target(call: Call, leg: int) -> tuple[str, str]:
    """Return the host with its port, and the model, of a recorded leg."""
    endpoint = call.endpoint(leg)
    return f"{endpoint.host}:{endpoint.port}", call.model_of(leg)


def _prepared(
    recorded: RecordedCall,
    attempts: Sequence[RecordedAttempt],
    number: int,
    order: OrderMode,
    terminal_event_sources: set[_StreamSource],
) -> TrafficCall:
    """Return a call ready to run. Add the source of its answer to the sources if it was a complete stream."""
    call, first = recorded.call, attempts[0] if attempts else None
    terminal_event_seen = _stream_source(call, 0) in terminal_event_sources
    not_runnable = _not_runnable(recorded, attempts)
    own: list[OwnAttempt] = []
    try:
        own = list(_own_attempts(recorded, attempts, order))
    except UnreadableAttemptError as error:
        not_runnable = not_runnable or str(error)
    served = served_attempt(attempts, own)
    if call.streaming and served is not None and served.timeline.complete:
        terminal_event_sources.add(_stream_source(call, served.leg))
    size = first.request.get("bytes") if first is not None else None
    return TrafficCall(
        number=number,
        started_unix=recorded.started_unix,
        call=call,
        attempts=own,
        recorded=_recorded_result(recorded, served, requests=len(attempts)),
        base_url=call.origin + _base_path(first),
        prompt_bytes=size if isinstance(size, int) else 0,
        terminal_event_seen=terminal_event_seen,
        not_runnable=not_runnable,
    )


def _stream_source(call: Call, leg: int) -> _StreamSource:
    host, model = _recorded_target(call, leg)
    return host, call.dialect, model


def served_attempt(attempts: Sequence[RecordedAttempt], own: Sequence[OwnAttempt]) -> OwnAttempt | None:
    """Return the attempt whose answer the user got. It need not be the last: that may be the loser of a hedge."""
    pairs = zip(reversed(attempts), reversed(own), strict=False)  # `own` is empty if the call cannot be read
    return next((own_attempt for attempt, own_attempt in pairs if attempt.ending != "lost"), None)


def _base_path(attempt: RecordedAttempt | None) -> str:
    path = attempt.request.get("path") if attempt is not None else None
    return path.partition("?")[0].rpartition("/")[0] if isinstance(path, str) else ""


def _not_runnable(recorded: RecordedCall, attempts: Sequence[RecordedAttempt]) -> str:
    if recorded.incomplete:
        return "some of its reads were not recorded"
    if recorded.outcome is None:
        return "the recording ends before the call"
    return "" if attempts else "no request was sent"


def _own_attempts(
    recorded: RecordedCall, attempts: Sequence[RecordedAttempt], order: OrderMode
) -> Iterator[OwnAttempt]:
    modes = _resume_modes(recorded)
    ended = recorded.duration_s or 0.0
    for attempt in attempts:
        yield OwnAttempt(
            leg=attempt.leg,
            hedge=attempt.hedge,
            resume=modes.get(attempt.number),
            started=attempt.started,
            timeline=timeline_of(recorded.call, attempt, ended, order),
        )


def _resume_modes(recorded: RecordedCall) -> dict[int, ResumeMode]:
    if recorded.call.policy.resume == "off":
        return {}
    commands: list[Command] = [decision.command for decision in recorded.decisions]
    specs = [command for command in commands if isinstance(command, AttemptSpec)]
    return {spec.number: spec.resume for spec in specs if spec.resume is not None}


def _recorded_result(recorded: RecordedCall, served: OwnAttempt | None, *, requests: int) -> CallResult:
    verdict = Verdict.WHOLE
    if recorded.outcome is None or recorded.outcome is Outcome.CANCELLED:
        verdict = Verdict.UNKNOWN
    elif recorded.outcome is Outcome.FAILED:
        verdict = Verdict.FAILED
    elif served is not None and served.timeline.missing is not None:
        verdict = Verdict.SILENT
    first = None
    with suppress(StopIteration):
        first = next(delivery.at for delivery in recorded.deliveries if delivery.chars)
    return CallResult(
        id=recorded.id,
        verdict=verdict,
        first_token_s=first,
        total_s=recorded.duration_s,
        requests=requests,
        reason=str(recorded.failure.cause) if recorded.failure is not None else "",
    )
