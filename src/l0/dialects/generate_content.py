"""Gemini's ``generateContent``. An answer is complete once every candidate in it has a ``finishReason``.

The stream has no terminal event, so the end of the body does not show whether it was cut off.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import replace
from typing import Any

from l0.model.call_events import ResponseMetadata
from l0.model.failure import Cause
from l0.model.policy import OrderMode
from l0.model.ports import Build
from l0.model.resume_state import ResumeState
from l0.model.tolerant_reading import object_of, objects_in, place_of, text_of

from .answer_fold import metadata_of
from .deltas import (
    AnswerEnd,
    AnswerError,
    ChoiceDelta,
    CompleteItem,
    Delta,
    FinishDelta,
    ReasoningDelta,
    StartDelta,
    TextDelta,
    ToolCallDelta,
    ToolCallEnd,
    UsageDelta,
    field,
)
from .provider_errors import MakeError, error_in, in_band_failure
from .resumable_reader import ResumableReader
from .wire_dialect import UsageFields, WireDialect, counts_in

USAGE: UsageFields = {
    "input_tokens": ("promptTokenCount",),
    "output_tokens": ("candidatesTokenCount",),
    "cache_read_tokens": ("cachedContentTokenCount",),
    "reasoning_tokens": ("thoughtsTokenCount",),
}
_UNSPECIFIED = "FINISH_REASON_UNSPECIFIED"
"""The default of the enumeration, which some gateways send explicitly. It is not a reason."""


def content_deltas(event: Any) -> list[Delta]:
    """Return the deltas of a chunk, or of a complete answer, which has the same format."""
    error = field(event, "error")
    if error:
        return [AnswerError(text_of(field(error, "message")) or "error", text_of(field(error, "status")))]
    found: list[Delta] = [StartDelta(text_of(field(event, "responseId")), text_of(field(event, "modelVersion")))]
    for candidate in objects_in(field(event, "candidates")):
        found += _candidate_deltas(candidate)
    blocked = text_of(field(field(event, "promptFeedback"), "blockReason"))
    if blocked:
        found += [FinishDelta(blocked), AnswerEnd()]
    usage = object_of(field(event, "usageMetadata"))
    if usage:
        found.append(UsageDelta(usage_counts(usage)))
    return found


def _candidate_deltas(candidate: Mapping[str, Any]) -> list[Delta]:
    index = place_of(candidate.get("index")) or 0
    found: list[Delta] = []
    for position, part in enumerate(objects_in(object_of(candidate.get("content")).get("parts"))):
        found += _part_deltas(part, index, position)
    reason = finish_reason(candidate)
    if reason is not None:
        found.append(FinishDelta(reason, index, alone=not found))
    return found or [ChoiceDelta(index)]


def _part_deltas(part: Mapping[str, Any], choice: int, position: int) -> list[Delta]:
    text = text_of(part.get("text"))
    if text is not None:
        delta_class = ReasoningDelta if part.get("thought") else TextDelta
        return [delta_class(text, choice)] if text else []
    call = part.get("functionCall")
    if isinstance(call, Mapping):
        place = object()  # unique, because every call is complete and has no number
        return [
            ToolCallEnd(place, ToolCallDelta(place, text_of(call.get("id")) or "", *_name_and_arguments(call), choice))
        ]
    return [CompleteItem(part, choice, position)] if _has_other_content(part) else []


def _name_and_arguments(call: Mapping[str, Any]) -> tuple[str, str]:
    """Return the name of a called function, and the arguments as JSON text."""
    return text_of(call.get("name")) or "", json.dumps(call.get("args") or {})


def _has_other_content(part: Mapping[str, Any]) -> bool:
    """Return True if a part has content besides text and thoughts."""
    return bool(part.keys() - {"text", "thought", "thoughtSignature"})


def finish_reason(candidate: Mapping[str, Any]) -> str | None:
    """Return the finish reason of a candidate; ``None`` if it has none."""
    reason = candidate.get("finishReason")
    return None if not reason or reason == _UNSPECIFIED else text_of(reason) or "error"


def usage_counts(usage: Mapping[str, Any]) -> dict[str, int]:
    """Return the token counts. Output is the sum of candidates and thoughts, which the provider counts separately."""
    counts = counts_in(usage, USAGE)
    if "reasoning_tokens" in counts:
        counts["output_tokens"] = counts.get("output_tokens", 0) + counts["reasoning_tokens"]
    return counts


def _holds_other(answer: Mapping[str, Any]) -> bool:
    """Return True if the first candidate of a complete answer contains anything besides text."""
    first = next(objects_in(answer.get("candidates")), {})
    parts = objects_in(object_of(first.get("content")).get("parts"))
    return any(_has_other_content(part) or part.get("thought") for part in parts)


GENERATE_CONTENT = WireDialect(
    name="generate_content",
    deltas=content_deltas,
    answer_deltas=content_deltas,
    holds_other=_holds_other,
    complete_reasons=frozenset({"STOP"}),
)


class GenerateContentReader(ResumableReader):
    """One streamed answer. ``choices``: the number of candidates requested."""

    def __init__(
        self,
        build: Build,
        content_type: str,
        *,
        choices: int,
        make_error: MakeError,
        order: OrderMode = "evidence",
    ) -> None:
        super().__init__(build, content_type, order)
        self._choices = choices
        self._make_error = make_error
        self._finish_reasons: dict[int, str] = {}
        self._seen: set[int] = set()
        """Candidates with content or a finish reason."""
        self._content_without_reason: set[int] = set()
        """Candidates with content in an event without a finish reason. A reason that follows is their end, unlike that
        of a server that puts a reason into every event."""
        self._content_at_finish = 0
        """The value of `content` at the latest finish reason."""
        self._block_reason: str | None = None
        """Why the provider blocked the prompt; ``None`` if it did not."""

    def decode_event(self, name: bytes | None, data: bytes, event: Any) -> Any:  # noqa: ARG002 - events have no names
        event = self.decode(data) if event is None else event
        if type(event) is dict:
            if "candidates" not in event and self._is_error(event):
                return None
            self.apply(event)
        return event

    def apply(self, event: dict[str, Any]) -> None:
        """Read the same as `content_deltas`, without objects and calls for plain text: this runs once per token."""
        if self.response_id is None:
            self.response_id = text_of(event.get("responseId"))
            self.model = text_of(event.get("modelVersion")) or self.model
        for candidate in event.get("candidates") or ():
            index = candidate.get("index") or 0
            content = candidate.get("content")
            if content:
                before = self.content
                self._read_parts(content.get("parts") or (), index)
                if self.content > before and "finishReason" not in candidate:
                    self._content_without_reason.add(index)
                    if not before:
                        self._finish_reasons.clear()  # reasons that came before all content ended nothing
            reason = candidate.get("finishReason")
            if reason and reason != _UNSPECIFIED:
                self._read_finish(index, reason)
        if event.get("usageMetadata"):
            self.usage = event["usageMetadata"]
        if event.get("promptFeedback"):
            self._block_reason = text_of(object_of(event["promptFeedback"]).get("blockReason"))

    def _read_parts(self, parts: Any, index: int) -> None:
        self._seen.add(index)
        for part in parts:
            text = part.get("text")
            if text is not None:
                if text and not index and not part.get("thought"):  # like `add_text`, without a function call
                    self.content += 1
                    self.chars += len(text)
                    self.text.append(text)
                elif text:
                    self.add_text(text)
                    self.resumable = False
            elif _has_other_content(part):
                self._other_part(part)
        if len(parts) > 1:
            self.resumable = False  # `event_text` can handle only one part

    def _other_part(self, part: Mapping[str, Any]) -> None:
        self.resumable = False
        call = part.get("functionCall")
        if isinstance(call, Mapping):
            self.content += 1
            self.add_tool_arguments(len(self.tools), *_name_and_arguments(call))
        else:
            self.other = True

    def _read_finish(self, index: int, reason: object) -> None:
        if index in self._finish_reasons and self.content > self._content_at_finish:
            self.note_anomaly("finish_reason_per_event")
        self._seen.add(index)
        self._finish_reasons[index] = text_of(reason) or "error"
        self._content_at_finish = self.content

    def _is_error(self, event: dict[str, Any]) -> bool:
        """Return True, and fail the attempt, if the event is an error in place of a chunk."""
        error = error_in(event)
        if error is not None:
            failure = in_band_failure(error, event, self._make_error)
            self.fail(replace(failure, code=text_of(object_of(error).get("status")) or failure.code))
        return error is not None

    def salvage(self, name: bytes | None, event: dict[str, Any]) -> None:  # noqa: ARG002
        for candidate in objects_in(event.get("candidates")):
            if (reason := finish_reason(candidate)) is not None:
                self._read_finish(place_of(candidate.get("index")) or 0, reason)
        self.usage = object_of(event.get("usageMetadata")) or self.usage

    # -- resuming ---------------------------------------------------------------------------------------------------

    def split_end(self, event: Any) -> Any:
        if not self.event_text(event) or not self.ends(event):
            return None
        end = self.with_text(deepcopy(event), "")
        for key in ("finishReason", "finishMessage"):
            event["candidates"][0].pop(key, None)
        return end

    def event_text(self, event: Any) -> str | None:
        try:
            (candidate,) = event["candidates"]
            (part,) = candidate["content"]["parts"]
            plain = not candidate.get("index") and not part.get("thought")
            return text_of(part.get("text")) if plain else None
        except (KeyError, ValueError, TypeError, AttributeError):
            return None

    def with_text(self, event: Any, text: str) -> Any:
        event["candidates"][0]["content"]["parts"][0]["text"] = text
        return event

    def empty_text_event(self) -> Any:
        part = {"text": ""}
        return {"candidates": [{"content": {"parts": [part], "role": "model"}, "index": 0}]}

    def ends(self, event: Any) -> bool:
        return any(finish_reason(candidate) is not None for candidate in objects_in(object_of(event).get("candidates")))

    def with_first_ids(self, event: Any, resume_state: ResumeState) -> Any:
        if isinstance(event, dict) and resume_state.response_id is not None and "responseId" in event:
            event["responseId"] = resume_state.response_id
        return event

    # -- the end ----------------------------------------------------------------------------------------------------

    def incomplete_cause(self) -> Cause | None:
        if self._block_reason is None and (not self._finish_reasons or self._seen - self._finish_reasons.keys()):
            return self.cause_without_end()
        if not self.content and not self.other:
            self.note_anomaly("no_content")
        elif len(self._finish_reasons) < self._choices:
            self.note_anomaly("fewer_choices")
        return None

    def states_no_limit(self) -> bool:
        return GENERATE_CONTENT.complete_reasons.issuperset(self._finish_reasons.values())

    def certainly_complete(self) -> bool:
        ended = self._seen <= self._content_without_reason and self.content == self._content_at_finish
        return self.incomplete_cause() is None and (ended or self._block_reason is not None)

    def metadata(self) -> ResponseMetadata:
        reasons = tuple(
            self._finish_reasons.get(index, "error")
            for index in sorted(self._seen | self._finish_reasons.keys() or {0})
        )
        if self._block_reason is not None and not self._finish_reasons:
            reasons = (self._block_reason,)
        counts = usage_counts(object_of(self.usage))
        return metadata_of(
            GENERATE_CONTENT, self.response_id, self.model, counts, reasons, {}, anomalies=tuple(self.anomalies)
        )
