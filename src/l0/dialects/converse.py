"""Amazon Bedrock's ``ConverseStream`` and ``Converse``. An answer is complete at ``messageStop``; usage follows.

boto3 returns each event as a JSON object with one field, whose name is the event's type. On the wire, the type is the
name of the event.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
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
    ItemStart,
    ReasoningDelta,
    StartDelta,
    TextDelta,
    ToolArgumentsDelta,
    ToolCallDelta,
    ToolCallEnd,
    UsageDelta,
    field,
)
from .resumable_reader import ResumableReader
from .wire_dialect import UsageFields, WireDialect, counts_in

USAGE: UsageFields = {
    "input_tokens": ("inputTokens",),
    "output_tokens": ("outputTokens",),
    "cache_read_tokens": ("cacheReadInputTokens",),
    "cache_write_tokens": ("cacheWriteInputTokens",),
}
_EXCEPTION = "Exception"
"""The types of events that report an error end with this."""
_END_EVENTS = frozenset({"contentBlockStop", "messageStop", "metadata"})


def event_deltas(event: Any) -> list[Delta]:
    """Return the deltas of an event, or of a complete answer."""
    if field(event, "output") is not None:
        return answer_deltas(event)
    kind, body = next(iter(event.items()), ("", None)) if isinstance(event, Mapping) else ("", None)
    place = place_of(field(body, "contentBlockIndex"))
    match kind:
        case "contentBlockDelta":
            return _block_delta(object_of(field(body, "delta")), place)
        case "contentBlockStart":
            return _block_start(object_of(field(body, "start")), place)
        case "contentBlockStop":
            return [ToolCallEnd(place)]
        case "messageStart":
            return [StartDelta(None, None), ChoiceDelta(0)]
        case "messageStop":
            return [FinishDelta(text_of(field(body, "stopReason")) or "error")]
        case "metadata":
            return [UsageDelta(counts_in(field(body, "usage"), USAGE)), AnswerEnd()]
        case _ if kind.endswith(_EXCEPTION):
            return [AnswerError(text_of(field(body, "message")) or "error", kind)]
        case _:
            return []


def _block_delta(delta: Mapping[str, Any], place: int | None) -> list[Delta]:
    text = text_of(delta.get("text"))
    if text is not None:
        return [TextDelta(text)] if text else []
    reasoning = text_of(field(delta.get("reasoningContent"), "text"))
    if reasoning:
        return [ReasoningDelta(reasoning)]
    arguments = text_of(field(delta.get("toolUse"), "input"))
    return [] if arguments is None else [ToolArgumentsDelta(place, arguments)]


def _block_start(start: Mapping[str, Any], place: int | None) -> list[Delta]:
    call = start.get("toolUse")
    return [ItemStart()] if call is None else [_call(call, place, "")]


def _call(call: Any, place: int | None, arguments: str) -> ToolCallDelta:
    return ToolCallDelta(place, text_of(field(call, "toolUseId")) or "", text_of(field(call, "name")) or "", arguments)


def answer_deltas(answer: Any) -> list[Delta]:
    """Return the deltas of a complete answer."""
    found: list[Delta] = [StartDelta(None, None), ChoiceDelta(0)]
    for place, block in enumerate(_blocks(answer)):
        found += _complete_block(block, place)
    reason = text_of(field(answer, "stopReason"))
    if reason:
        found += [FinishDelta(reason), AnswerEnd()]
    return [*found, UsageDelta(counts_in(field(answer, "usage"), USAGE))]


def _blocks(answer: Any) -> list[Mapping[str, Any]]:
    message = object_of(object_of(field(answer, "output")).get("message"))
    return list(objects_in(message.get("content")))


def _complete_block(block: Mapping[str, Any], place: int) -> list[Delta]:
    text, call = text_of(block.get("text")), block.get("toolUse")
    if text is not None:
        return [TextDelta(text)] if text else []
    if call is not None:
        return [ToolCallEnd(place, _call(call, place, json.dumps(field(call, "input") or {}, default=str)))]
    reasoning = text_of(field(field(block.get("reasoningContent"), "reasoningText"), "text"))
    return [ReasoningDelta(reasoning)] if reasoning else [CompleteItem(block, index=place)]


def _holds_other(answer: Mapping[str, Any]) -> bool:
    """Return True if a complete answer contains anything besides text."""
    return any(block.keys() - {"text"} for block in _blocks(answer))


CONVERSE = WireDialect(
    name="converse",
    deltas=event_deltas,
    answer_deltas=answer_deltas,
    holds_other=_holds_other,
    input_excludes_cached=True,
    complete_reasons=frozenset({"end_turn", "stop_sequence", "tool_use"}),
)


class ConverseReader(ResumableReader):
    """One streamed answer. The provider package reads exceptions: another type of frame carries them."""

    def __init__(self, build: Build, content_type: str, *, order: OrderMode = "evidence") -> None:
        super().__init__(build, content_type, order)
        self._stop_reason: str | None = None
        self._ended_blocks: set[int] = set()

    def decode_event(self, name: bytes | None, data: bytes, event: Any) -> Any:
        event = self.decode(data) if event is None else event
        if name is None or type(event) is not dict:
            self.note_anomaly("unnamed_event")
            return None
        event = {name.decode(): event}
        self.apply(event)
        return None if self.failure is not None else event

    def sdk_event(self, name: bytes | None, event: Any) -> Any:
        return {(name or b"").decode(): event}

    def apply(self, event: dict[str, Any]) -> None:
        """Read the same as `event_deltas`, without objects and calls for plain text: this runs once per token."""
        ((kind, body),) = event.items()
        if kind == "contentBlockDelta":
            if (self._ended_blocks or self._stop_reason is not None) and self._is_late(body["contentBlockIndex"]):
                return
            delta = body["delta"]
            text = delta.get("text")
            if text is None:
                self._other_delta(delta, body["contentBlockIndex"])
            elif text:  # like `add_text`, without a function call
                self.content += 1
                self.chars += len(text)
                self.text.append(text)
        elif kind == "contentBlockStart":
            self._start_block(object_of(body.get("start")), body["contentBlockIndex"])
        elif kind == "contentBlockStop":
            self._ended_blocks.add(body["contentBlockIndex"])
        elif kind == "messageStop":
            self._stop_reason = text_of(body.get("stopReason")) or "error"
        elif kind == "metadata":
            self.usage = object_of(body.get("usage"))
            if self._stop_reason is not None:
                self.mark_finished()

    def _is_late(self, place: int) -> bool:
        """Return True if a delta came after the end of its block, and must not be read."""
        if self._stop_reason is not None:
            self.note_anomaly("data_after_end")
            return False
        return place in self._ended_blocks and not self.disorder("a delta came after the end of its block")

    def _other_delta(self, delta: Mapping[str, Any], place: int) -> None:
        self.resumable = False
        call = delta.get("toolUse")
        if call is not None:
            self.content += 1
            self.add_tool_arguments(place, None, call.get("input"))
            return
        reasoning = object_of(delta.get("reasoningContent")).get("text")
        if reasoning:
            self.add_text(reasoning)
        elif "reasoningContent" not in delta:
            self.other = True

    def _start_block(self, start: Mapping[str, Any], place: int) -> None:
        self.resumable = False
        call = start.get("toolUse")
        if call is None:
            self.other = True
            self.accepted = self.accepted or "toolResult" in start  # a tool of the server has run
        else:
            self.content += 1
            self.add_tool_arguments(place, call.get("name"), "")

    def salvage(self, name: bytes | None, event: dict[str, Any]) -> None:  # noqa: ARG002
        if "messageStop" in event:
            self._stop_reason = text_of(object_of(event["messageStop"]).get("stopReason")) or "error"
        self.usage = object_of(object_of(event.get("metadata")).get("usage")) or self.usage

    # -- resuming ---------------------------------------------------------------------------------------------------

    def event_text(self, event: Any) -> str | None:
        return text_of(object_of(object_of(event.get("contentBlockDelta")).get("delta")).get("text"))

    def with_text(self, event: Any, text: str) -> Any:
        event["contentBlockDelta"]["delta"]["text"] = text
        return event

    def empty_text_event(self) -> Any:
        return {"contentBlockDelta": {"contentBlockIndex": 0, "delta": {"text": ""}}}

    def ends(self, event: Any) -> bool:
        return not _END_EVENTS.isdisjoint(event)

    def with_first_ids(self, event: Any, resume_state: ResumeState) -> Any:  # noqa: ARG002 - events have no ids
        return event

    # -- the end ----------------------------------------------------------------------------------------------------

    def incomplete_cause(self) -> Cause | None:
        if self._stop_reason is None:
            return self.cause_without_end()
        if not self.content and not self.other:
            self.note_anomaly("no_content")
        return None

    def states_no_limit(self) -> bool:
        return self._stop_reason is None or self._stop_reason in CONVERSE.complete_reasons

    def metadata(self) -> ResponseMetadata:
        counts, reason = counts_in(self.usage, USAGE), self._stop_reason or "error"
        return metadata_of(CONVERSE, None, None, counts, (reason,), {}, anomalies=tuple(self.anomalies))
