"""Read a recorded attempt into a timeline, with the reader of its dialect."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from typing import Any

from l0.dialects.chat import ChatReader
from l0.dialects.completions import CompletionsReader
from l0.dialects.generate_content import GenerateContentReader
from l0.dialects.messages import MessagesReader
from l0.dialects.provider_errors import error_event_failure
from l0.dialects.responses import ResponsesReader
from l0.model.call import Call, RetrySafety
from l0.model.failure import TIMEOUT_CAUSES, Cause, Failure
from l0.model.policy import OrderMode
from l0.model.ports import WireReader
from l0.model.tolerant_reading import count_of, object_of
from l0.recording.body_decoding import body_decoder
from l0.recording.recording import RecordedAttempt
from l0.runtime.body_parser import WireParser

from .attempt_timeline import AttemptTimeline, longest_so_far

_RULE_CAUSES = (Cause.GUARDRAIL_VIOLATION, Cause.DRIFT)


class UnreadableAttemptError(ValueError):
    """The body of an attempt cannot be read."""


def timeline_of(call: Call, attempt: RecordedAttempt, call_ended: float, order: OrderMode) -> AttemptTimeline:
    """Return the timeline of an attempt. ``call_ended``: the end of its call, in seconds since the start of the call.

    Raises `UnreadableAttemptError`.
    """
    opened = attempt.status is not None and 200 <= attempt.status < 300 and attempt.head_at is not None
    if call.streaming and opened:
        return _streamed(call, attempt, call_ended, order)
    ends_at = max((call_ended if attempt.ended is None else attempt.ended) - attempt.started, 0.0)
    cut = _cut_by_l0(attempt.failure) or attempt.ending in ("lost", "closed")
    # A backtest does not evaluate rules, so an answer that a rule rejected counts as complete.
    failure = None if attempt.failure is not None and attempt.failure.cause in _RULE_CAUSES else attempt.failure
    cut_short = cut if attempt.failure is not None or attempt.ending == "lost" else not opened
    return AttemptTimeline(
        ends_at=ends_at,
        opened_at=attempt.head_at - attempt.started if opened and attempt.head_at is not None else inf,
        failure=None if cut_short else failure,
        cut_short=cut_short,
    )


def _cut_by_l0(failure: Failure | None) -> bool:
    """Return True if a deadline of L0 ended the attempt. A timeout of the transport has an exception."""
    return failure is not None and failure.error is None and failure.cause in TIMEOUT_CAUSES and not failure.status


def _streamed(call: Call, attempt: RecordedAttempt, call_ended: float, order: OrderMode) -> AttemptTimeline:
    started, head_at = attempt.started, attempt.head_at
    assert head_at is not None
    headers = {name.lower(): value for name, value in attempt.response_headers}
    reader = wire_reader(call, attempt.request, headers.get("content-type", ""), order)
    reading = _Reading(reader, head_at - started)
    try:
        decode = body_decoder(headers.get("content-encoding", ""))
        for read, program_s in zip(attempt.reads, attempt.program_s(), strict=True):
            reading.add(read.at - started, decode(read.data), program_s)
            if reader.stopped:
                break
    except ValueError as error:
        raise UnreadableAttemptError(f"attempt {attempt.number}: {error!r}") from error
    last = reading.read_times[-1]
    ended = call_ended if attempt.ended is None else attempt.ended
    ends_at = last if reader.stopped else max(ended - started, last)
    return reading.timeline(ends_at, attempt)


class _Reading:
    """Reads one body, and collects the times of its events."""

    def __init__(self, reader: WireReader, opened_at: float) -> None:
        self._reader = reader
        self._parser = WireParser(reader)
        self._opened_at = opened_at
        self.read_times = [opened_at]
        self._program_s = [0.0]
        """The time that had passed in the program by each read."""
        self._early: list[tuple[float, int]] = []
        self._content: list[float] = []
        self._content_program_s: list[float] = []
        self._chars: list[int] = []
        self._accepted_at = self._complete_at = inf

    def add(self, at: float, data: bytes, program_s: float) -> None:
        reader = self._reader
        content = reader.content
        items = len(self._parser.feed(data))
        self.read_times.append(at)
        self._program_s.append(program_s)
        if reader.content > content:
            self._content.append(at)
            self._content_program_s.append(program_s)
            self._chars.append(reader.chars)
        else:
            if not self._content:
                self._early.append((at, items + (self._early[-1][1] if self._early else 0)))
            if self._content and self._complete_at == inf and reader.certainly_complete():
                self._complete_at = at
        if reader.accepted and self._accepted_at == inf:
            self._accepted_at = at

    def timeline(self, ends_at: float, attempt: RecordedAttempt) -> AttemptTimeline:
        reader, failure = self._reader, attempt.failure
        missing, cut_short = None, False
        if reader.stopped or (failure is None and attempt.ending == "eof"):
            reader.finish()
            # The recorded failure is the more detailed one, if the reader finds the same cause.
            same = failure is not None and reader.failure is not None and failure.cause is reader.failure.cause
            failure = failure if same else reader.failure
            missing = None if failure is not None else reader.incomplete_cause()
        elif failure is not None and failure.error is None and failure.cause is reader.incomplete_cause():
            missing, failure = failure.cause, None  # the body ended normally, and the machine called that a failure
        elif failure is None or _cut_by_l0(failure) or failure.cause in _RULE_CAUSES or attempt.ending == "lost":
            cut_short, failure = True, None
        metadata = reader.metadata()
        stated = metadata.input_tokens is not None or metadata.output_tokens is not None
        return AttemptTimeline(
            ends_at=ends_at,
            opened_at=self._opened_at,
            early=tuple(self._early),
            content=tuple(self._content),
            chars=tuple(self._chars),
            gaps=longest_so_far([*self._content, ends_at], [*self._content_program_s, self._program_s[-1]]),
            read_gaps=longest_so_far([*self.read_times, ends_at], [*self._program_s, self._program_s[-1]]),
            accepted_at=self._accepted_at,
            complete_at=self._complete_at,
            missing=missing,
            failure=failure,
            cut_short=cut_short,
            tokens=(metadata.input_tokens or 0, metadata.output_tokens or 0) if stated else None,
            resumable=reader.resumable,
        )


def wire_reader(call: Call, request: Mapping[str, Any], content_type: str, order: OrderMode) -> WireReader:
    """Return the reader of a streamed answer to a recorded request. Its items are the decoded events."""
    if call.dialect == "responses":
        kept = call.retry_safety is RetrySafety.UNTIL_EFFECT
        return ResponsesReader(_item, content_type, kept=kept, replays=False, make_error=_error, order=order)
    if call.dialect == "messages":
        return MessagesReader(_item, content_type, names=None, typed=True, refuse=_refuse, order=order)
    body = request.get("body") or request.get("shape")
    if call.dialect == "generate_content":
        settings = object_of(object_of(body).get("generationConfig"))
        candidates = count_of(settings.get("candidateCount")) or 1
        return GenerateContentReader(_item, content_type, choices=candidates, make_error=_error, order=order)
    choices = count_of(body.get("n")) if isinstance(body, dict) else None
    kind = CompletionsReader if call.dialect == "completions" else ChatReader
    return kind(_item, content_type, choices=choices or 1, wraps=frozenset(), make_error=_error, order=order)


def _item(event: dict[str, Any]) -> Any:
    return event


def _error(message: str, body: object) -> Exception:  # noqa: ARG001 - the signature that the dialects call
    return Exception(message)


def _refuse(data: bytes) -> Failure:
    return error_event_failure(data, _error, "the provider sent an error")
