"""Messages. An answer is complete at ``message_stop``, or if its ``stop_reason`` came after all content.

Gateways reuse and skip block indices, repeat the start, and send deltas outside their block. `Policy.order` decides
whether such disorder fails the attempt or is noted as an anomaly.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from json import dumps
from typing import Any

from l0.model.call_events import ResponseMetadata
from l0.model.failure import Cause, Failure
from l0.model.policy import OrderMode
from l0.model.ports import Build
from l0.model.resume_state import ResumeState
from l0.model.tolerant_reading import object_of, objects_in, place_of, text_of

from .answer_fold import metadata_of
from .content_parts import part_deltas, tool_call_delta
from .deltas import (
    AnswerEnd,
    AnswerError,
    CompleteItem,
    Delta,
    FinishDelta,
    OpenCallsDropped,
    ReasoningDelta,
    StartDelta,
    TextDelta,
    ToolArgumentsDelta,
    ToolCallEnd,
    UsageDelta,
    field,
    json_or_sdk_objects_in,
)
from .provider_errors import error_in
from .resumable_reader import ResumableReader
from .wire_dialect import UsageFields, WireDialect, add_counts, counts_in, extra_in

_DELTA_FIELDS = {
    "text_delta": "text",
    "thinking_delta": "thinking",
    "input_json_delta": "partial_json",
    "citations_delta": "citation",
    "compaction_delta": "content",
}
"""By type of a delta: the field with its content."""
_CONTENT_EVENTS = frozenset({"message_start", "content_block_start", "content_block_delta", "content_block_stop"})
"""Events that belong to another message if they come after ``message_stop``."""
_OWN_BLOCKS = frozenset({"text", "thinking", "redacted_thinking", "tool_use", "fallback", "compaction"})
"""Blocks that the model writes. All others (server tools, their results, containers) show work on the server."""
_FILLED_BY_DELTAS = frozenset({"text", "thinking", "fallback", "compaction"})
"""Blocks that get all their content from deltas. The start of every other block is content."""

USAGE: UsageFields = {
    "input_tokens": ("input_tokens",),
    "output_tokens": ("output_tokens",),
    "cache_read_tokens": ("cache_read_input_tokens",),
    "cache_write_tokens": ("cache_creation_input_tokens",),
    "reasoning_tokens": ("output_tokens_details", "thinking_tokens"),
}


def message_deltas(event: Any) -> list[Delta]:
    """Return the deltas of an event, or of a complete message.

    An event that the SDK's stream helper adds has none: its type is unknown here, and it repeats events of the wire.
    """
    match text_of(field(event, "type")):
        case "content_block_delta":
            return _block_deltas(field(event, "delta"), place_of(field(event, "index")))
        case "content_block_start":
            return _block_start(field(event, "content_block"), place_of(field(event, "index")))
        case "content_block_stop":
            return [ToolCallEnd(place_of(field(event, "index")))]
        case "message_start":
            return _message_start(field(event, "message"))
        case "message_delta":
            return [*_usage(field(event, "usage")), *_finish(field(event, "delta"))]
        case "message_stop":
            return [AnswerEnd()]
        case "error":
            error = field(event, "error")
            return [AnswerError(text_of(field(error, "message")) or "error", text_of(field(error, "type")))]
        case "message":
            return answer_deltas(event)
        case None if field(event, "content") is not None:
            return answer_deltas(event)
        case _:
            return []


def answer_deltas(message: Any) -> list[Delta]:
    """Return the deltas of a complete message."""
    found = _message_start(message)
    for place, block in enumerate(json_or_sdk_objects_in(field(message, "content"))):
        if field(block, "type") == "tool_use":
            found.append(ToolCallEnd(place, tool_call_delta(block, place)))
        else:
            found += _block_start(block, place)
    return [*found, *_finish(message)]


def _message_start(message: Any) -> list[Delta]:
    start = StartDelta(text_of(field(message, "id")), text_of(field(message, "model")))
    return [start, *_usage(field(message, "usage"))]


def _usage(usage: Any) -> list[Delta]:
    return [UsageDelta(counts_in(usage, USAGE), extra_in(usage, "anthropic", "service_tier"))] if usage else []


def _finish(holder: Any) -> list[Delta]:
    reason = field(holder, "stop_reason")
    return [FinishDelta(text_of(reason) or "error")] if reason else []


def _block_start(block: Any, place: int | None) -> list[Delta]:
    match text_of(field(block, "type")):
        case "tool_use":  # the input is empty here, and follows in fragments
            return [replace(tool_call_delta(block, place), arguments="")]
        case "text" | "thinking":
            return part_deltas(block)
        case None | "redacted_thinking":
            return []
        case "fallback":  # the model refused, perhaps during a tool call, and another model continues
            return [OpenCallsDropped(), CompleteItem(block, index=place or 0)]
        case _:
            return [CompleteItem(block, index=place or 0)]


def _block_deltas(delta: Any, place: int | None) -> list[Delta]:
    match text_of(field(delta, "type")):
        case "text_delta":
            return [TextDelta(text)] if (text := text_of(field(delta, "text"))) else []
        case "thinking_delta":
            return [ReasoningDelta(text)] if (text := text_of(field(delta, "thinking"))) else []
        case "input_json_delta":
            return [ToolArgumentsDelta(place, text_of(field(delta, "partial_json")) or "")]
        case _:
            return []


def _holds_other(answer: Mapping[str, Any]) -> bool:
    """Return True if a complete answer contains anything besides text."""
    return any(block.get("type") != "text" for block in objects_in(answer.get("content")))


MESSAGES = WireDialect(
    name="messages",
    deltas=message_deltas,
    answer_deltas=answer_deltas,
    holds_other=_holds_other,
    input_excludes_cached=True,
    complete_reasons=frozenset({"end_turn", "tool_use"}),
)

Refuse = Callable[[bytes], Failure]
"""Makes the failure of an ``error`` event from the data of the event."""


class MessagesReader(ResumableReader):
    """One streamed message.

    ``names``: names of the events that the SDK delivers to the user; ``None`` for all. ``typed``: the SDK adds a
    missing
    ``type`` to events. ``refuse``: makes the failure of an ``error`` event.
    """

    _strips_prefill = True

    def __init__(
        self,
        build: Build,
        content_type: str,
        *,
        names: frozenset[bytes] | None,
        typed: bool,
        refuse: Refuse,
        order: OrderMode = "evidence",
    ) -> None:
        super().__init__(build, content_type, order)
        self._names = names
        self._typed = typed
        self._refuse = refuse
        self._started = False
        self._message_stopped = False
        self._stop_reason: str | None = None
        self._content_at_stop = 0
        """The value of `content` at the latest stop reason."""
        self._next_block = 0
        self._open_blocks: set[int] = set()
        self._order_is_known = True
        """Every event so far could be read. Without that, nothing shows whether blocks come in order."""
        self._block_offset = 0
        """The number that a continuation adds to its block indices, to follow those of the earlier attempt."""
        self._text_block = 0
        """The index, before that addition, of the block that continues the text of the earlier attempt."""
        self._final_usage: Mapping[str, Any] = {}
        """The latest usage of a ``message_delta``: its counts are cumulative."""

    def decode_event(self, name: bytes | None, data: bytes, event: Any) -> Any:
        if name == b"ping":
            return None
        if name == b"error":
            self.fail(self._refuse(data))
            return None
        if name is None:
            return self._nameless(data, event)
        known = self._names is None or name in self._names
        if event is None and known:
            event = self.decode(data)
        # The name may differ from the type, which the error states for itself.
        if type(event) is dict and ("type" not in event or event["type"] == "error") and error_in(event) is not None:
            self.fail(self._refuse(data))
            return None
        return self._event(name, event) if known else None

    def _nameless(self, data: bytes, event: Any) -> Any:
        """Read an event without a name, which a proxy dropped: its type is that name. The bare SDK ignores such
        events."""
        if event is None and data[:1] == b"{":
            event = self.decode(data)
        if type(event) is not dict:
            return None
        kind = event.get("type")
        if error_in(event) is not None:
            self.fail(self._refuse(data))
            return None
        if type(kind) is not str or kind == "ping":
            return None
        self.note_anomaly("unnamed_event")
        return self._event(kind.encode(), event)

    def _event(self, name: bytes, event: Any) -> Any:
        if event is None:
            self._order_is_known = False
            return None
        if type(event) is dict:
            if self._typed and "type" not in event:
                event["type"] = name.decode()
            if self._message_stopped and event.get("type") in _CONTENT_EVENTS:
                self.note_anomaly("data_after_end")
                return None
            self.apply(event)
            if self.failure is not None:
                return None  # without counting the event: the attempt that resumes this one must deliver it
        else:
            self._order_is_known = False
        return event

    def sdk_event(self, name: bytes | None, event: Any) -> Any:
        if self._typed and name is not None and type(event) is dict and "type" not in event:
            event["type"] = name.decode("utf-8", "replace")
        return event

    def apply(self, event: dict[str, Any]) -> None:
        """Read the same as `message_deltas`, without objects and calls for plain text: this runs once per token."""
        kind = event.get("type")
        if kind == "content_block_delta":
            index = event["index"]
            if index not in self._open_blocks and not self._accepts_stray(index):
                return
            delta = event["delta"]
            field = _DELTA_FIELDS.get(delta["type"])
            fragment = delta.get(field) if field is not None else None
            if field == "text" and type(fragment) is str and fragment:  # like `add_text`, without a function call
                self.content += 1
                self.chars += len(fragment)
                self.text.append(fragment)
            else:
                self.add_text(fragment)
                self.resumable = self.resumable and field == "text"
                if field == "partial_json" and index in self.tools:
                    self.add_tool_arguments(index, None, fragment)
        elif type(kind) is str:
            handle = _HANDLERS.get(kind)
            if handle is not None:
                handle(self, event)
            elif kind != "ping":
                self._order_is_known = False
        else:
            raise TypeError("the type of an event is not text")

    def varying_fields(self, name: bytes | None, event: Any) -> dict[str, str | int] | None:
        if name != b"content_block_delta" or event.get("type") != "content_block_delta":
            return None
        if type(event.get("index")) is not int or (self._names is not None and name not in self._names):
            return None
        delta = event["delta"]
        text = delta.get("text")
        return {"text": text} if delta["type"] == "text_delta" and type(text) is str and text else None

    def next_repeat(self, event: Any) -> int | None:
        stray = self._message_stopped or self.failure is not None or event["index"] not in self._open_blocks
        return None if stray else 0

    def salvage(self, name: bytes | None, event: dict[str, Any]) -> None:  # noqa: ARG002
        self._order_is_known = False
        if event.get("type") == "content_block_delta":  # its index or delta has an undocumented shape
            self.add_text(text_of(object_of(event.get("delta")).get("text")), first_choice=True)

    def _accepts_stray(self, index: object) -> bool:
        """Return True if a delta of a block that is not open must still be read."""
        if type(index) is int:
            return self._out_of_order(f"a delta for block {index}, which is not open")
        self.note_anomaly("unreadable_index")
        return True

    def _message_start(self, event: dict[str, Any]) -> None:
        message = object_of(event.get("message"))
        message_id = text_of(message.get("id")) or None
        if self._started:
            another = message_id not in (None, self.response_id) and bool(self.content or self.other)
            text = "the start of another answer" if another else "a second message_start"
            if not self._out_of_order(text, proof=another, anomaly="repeated_start"):
                return
        self._started = True
        self.response_id = message_id or self.response_id
        self.model = text_of(message.get("model")) or self.model
        usage = object_of(message.get("usage"))
        self.usage = {**self.usage, **{name: n for name, n in usage.items() if n or name not in self.usage}}

    def _block_start(self, event: dict[str, Any]) -> None:
        index = self._index(event, self._next_block)
        due = self._started and index == self._next_block
        if not due and not self._out_of_order(f"block {index} where block {self._next_block} was due"):
            return
        self._next_block = max(self._next_block, index) + 1
        self._open_blocks.add(index)
        block = object_of(event.get("content_block"))
        kind = text_of(block.get("type"))
        if index in self.tools:  # a new block reuses the index: keep the earlier call under another key
            self.tools[index, len(self.tools)] = self.tools.pop(index)
        text = block.get("text") if kind == "text" else None
        if text:  # a proxy sends the first text with the start of its block; such an answer cannot be resumed
            self.add_text(text, first_choice=True)
        if kind != "text" or text:
            self.resumable = False
        if kind == "tool_use":
            self.add_tool_arguments(index, block.get("name"), None)
        elif kind == "fallback":  # the model refused, perhaps during a tool call, and another model continues
            self.abandoned_tool_calls = len(self.tools)
        if kind is None:
            self.note_anomaly("unknown_shape")
        elif kind not in _OWN_BLOCKS:
            self.accepted = True
        if kind not in _FILLED_BY_DELTAS:
            self.other = True

    def _block_stop(self, event: dict[str, Any]) -> None:
        index = self._index(event, max(self._open_blocks, default=self._next_block))
        if index not in self._open_blocks:
            if index < self._next_block:
                self._out_of_order(f"a second end of block {index}")
                return
            self.note_anomaly("stray_block_stop")  # not a disorder, because no text is lost
        self._open_blocks.discard(index)

    def _index(self, event: dict[str, Any], due: int) -> int:
        """Return the index of an event's block; ``due``, the expected index, if it is not a number."""
        index = place_of(event.get("index"))
        if index is None:
            self.note_anomaly("unreadable_index")
            return due
        return index

    def _message_delta(self, event: dict[str, Any]) -> None:
        reason = object_of(event.get("delta")).get("stop_reason")
        if reason:
            self._stop_reason = text_of(reason) or "error"
            self._content_at_stop = self.content
        if reason == "error":
            self.fail(self._refuse(dumps(event["delta"]).encode()))
        self._final_usage = object_of(event.get("usage")) or self._final_usage

    def _message_stop(self, event: dict[str, Any]) -> None:  # noqa: ARG002
        self._message_stopped = True
        if self._open_blocks:
            self.note_anomaly("open_block")

    def event_text(self, event: Any) -> str | None:
        if not isinstance(event, dict) or event.get("type") != "content_block_delta":
            return None
        delta = event.get("delta")
        return text_of(delta.get("text")) if isinstance(delta, dict) and delta.get("type") == "text_delta" else None

    def with_text(self, event: Any, text: str) -> Any:
        event["delta"]["text"] = text
        return event

    def empty_text_event(self) -> Any:
        return {"type": "content_block_delta", "index": self._text_block, "delta": {"type": "text_delta", "text": ""}}

    def ends(self, event: Any) -> bool:
        ending = isinstance(event, dict) and event.get("type") in ("message_delta", "message_stop")
        return ending and not self._ends_nothing

    def opening(self, resume_state: ResumeState) -> list[Any]:
        """Start a new block if the user has no open one in which the text could continue."""
        if resume_state.reader_state["open"]:
            return []
        block = {"type": "text", "text": ""}
        return [{"type": "content_block_start", "index": self._text_block, "content_block": block}]

    def closing(self, resume_state: ResumeState) -> list[Any]:
        return self.finishing(resume_state) if resume_state.reader_state["open"] else []

    def finishing(self, resume_state: ResumeState) -> list[Any]:  # noqa: ARG002
        return [{"type": "content_block_stop", "index": self._text_block}]

    def reader_state(self) -> dict[str, Any]:
        return {
            "blocks": self._next_block + self._block_offset,
            "open": [index + self._block_offset for index in sorted(self._open_blocks)],
        }

    def resume(self, resume_state: ResumeState, strategy: str) -> None:
        super().resume(resume_state, strategy)
        if not self._exact:
            still_open = resume_state.reader_state["open"]
            self._block_offset = still_open[0] if still_open else resume_state.reader_state["blocks"]

    def event_deltas(self, event: Any) -> list[Delta]:
        return message_deltas(event)

    def continue_numbers(self, event: Any, rest: str, resume_state: ResumeState) -> None:
        index = place_of(event.get("index"))
        if index is None:
            return
        follows_text = self.event_text(event) is None and bool(rest or resume_state.reader_state["open"])
        self._text_block = index - follows_text
        self._block_offset -= self._text_block

    def with_first_ids(self, event: Any, resume_state: ResumeState) -> Any:  # noqa: ARG002
        """Number the blocks of a continuation: the first continues the block that broke, or follows the last complete
        block."""
        if self._block_offset and isinstance(event, dict) and type(event.get("index")) is int:
            event["index"] += self._block_offset
        return event

    def _out_of_order(self, message: str, *, proof: bool = False, anomaly: str = "out_of_order") -> bool:
        """As `disorder`, but only note an anomaly if an event could not be read: the order is unknown then."""
        if self._order_is_known:
            return self.disorder(message, proof=proof, anomaly=anomaly)
        self.note_anomaly(anomaly)
        return True

    @property
    def ended(self) -> bool:
        return self._message_stopped or self._stop_reason is not None

    @property
    def _ends_nothing(self) -> bool:
        """True if the end came without a start or content before it."""
        return self.ended and not self._started and self._order_is_known and not (self.content or self.other)

    def incomplete_cause(self) -> Cause | None:
        if self._ends_nothing:
            return Cause.EMPTY
        if self._message_stopped or (self._stop_reason and self.content == self._content_at_stop):
            if not self.content and not self.other:
                self.note_anomaly("no_content")
            if not self._stop_reason:
                self.note_anomaly("stop_without_reason")
            return None
        return self.cause_without_end()

    def states_no_limit(self) -> bool:
        return self._stop_reason is None or self._stop_reason in MESSAGES.complete_reasons

    def certainly_complete(self) -> bool:
        return self.incomplete_cause() is None and (self._message_stopped or not self._open_blocks)

    def metadata(self) -> ResponseMetadata:
        usages = (self.usage, self._final_usage)
        counts: dict[str, int] = {}
        for usage in usages:
            add_counts(counts, counts_in(usage, USAGE))
        extra = {name: tier for usage in usages for name, tier in extra_in(usage, "anthropic", "service_tier").items()}
        reasons = (self._stop_reason or "error",)
        return metadata_of(
            MESSAGES, self.response_id, self.model, counts, reasons, extra, anomalies=tuple(self.anomalies)
        )


_HANDLERS: dict[str, Callable[[MessagesReader, dict[str, Any]], None]] = {
    "message_start": MessagesReader._message_start,
    "content_block_start": MessagesReader._block_start,
    "content_block_stop": MessagesReader._block_stop,
    "message_delta": MessagesReader._message_delta,
    "message_stop": MessagesReader._message_stop,
}
