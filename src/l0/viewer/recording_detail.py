"""Build what the page shows of a recorded call: its story, its attempts, and the flow of its answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from l0.recording.call_story import call_story
from l0.recording.decision_rerun import difference
from l0.recording.recording import RecordedAttempt, RecordedCall

from .api_contract import AttemptRecording, CallRecording, StoryLine
from .recorded_times import milliseconds
from .token_flow import token_flow


def recording_detail(recorded: RecordedCall) -> CallRecording:
    """Return a recorded call without the bytes of its bodies."""
    story = call_story(recorded)
    ends = [recorded.duration_s, *(event.at for event in story), *(delivery.at for delivery in recorded.deliveries)]
    ends += [read.at for attempt in recorded.attempts for read in attempt.reads]
    return CallRecording(
        id=recorded.id,
        file=str(recorded.file),
        start=milliseconds(recorded.started_unix),
        duration=max(milliseconds(end) for end in ends if end is not None),
        outcome=recorded.outcome,
        incomplete=recorded.incomplete,
        delivered_items=recorded.delivered_items,
        delivered_chars=recorded.delivered_chars,
        story=[
            StoryLine(at=milliseconds(event.at), subject=event.subject, text=event.text, field=event.field)
            for event in story
        ],
        difference=difference(recorded),
        attempts=[_attempt(attempt) for attempt in recorded.attempts],
        flow=token_flow(recorded),
    )


def _attempt(attempt: RecordedAttempt) -> AttemptRecording:
    request = attempt.request
    return AttemptRecording(
        number=attempt.number,
        leg=attempt.leg,
        hedge=attempt.hedge,
        started=milliseconds(attempt.started),
        method=request.get("method"),
        path=request.get("path"),
        request_headers=[(name, value) for name, value in request.get("headers", ())],
        request_bytes=request.get("bytes"),
        request_sha256=request.get("sha256"),
        request=_recorded_part(request),
        status=attempt.status,
        response_headers=[*attempt.response_headers],
        head_at=_optional(attempt.head_at),
        ended=_optional(attempt.ended),
        ending=attempt.ending,
        failure=None if attempt.failure is None else str(attempt.failure),
        reads=len(attempt.reads),
        answer_bytes=sum(len(read.data) for read in attempt.reads),
    )


def _recorded_part(request: Mapping[str, Any]) -> Literal["body", "shape"] | None:
    if "body" in request or "text" in request:
        return "body"
    return "shape" if "shape" in request else None


def _optional(seconds: float | None) -> float | None:
    return None if seconds is None else milliseconds(seconds)
