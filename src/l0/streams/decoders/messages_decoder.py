"""The messages API of anthropic: the wire's events, a helper's, or a whole message."""

from __future__ import annotations

import json
from typing import Any

from l0.model.call_events import ResponseMetadata
from l0.model.tolerant_reading import count_of, items_in, text_of

from ..stream_events import Event, EventType, ToolCall
from .decoding_helpers import kind_of, said, tool_call


class MessagesDecoder:
    """Text and thinking deltas; tool calls when their block stops."""

    fenced = True

    def __init__(self) -> None:
        self._tool: list[Any] | None = None
        self._id: Any = None
        self._model: Any = None
        self._reason: str | None = None
        self._input: int | None = None
        self._output: int | None = None
        self._over = False

    @property
    def begun(self) -> bool:
        """A tool call is on its way."""
        return self._tool is not None

    def decode(self, item: Any) -> list[Event]:
        """As `Decoder.decode`. What a helper's stream adds to the wire's events repeats them, and is passed over."""
        match kind_of(item):
            case "content_block_delta":
                return self._delta(getattr(item, "delta", None))
            case "content_block_start":
                return self._start(getattr(item, "content_block", None))
            case "content_block_stop":
                return self._stop()
            case "message_start":
                self._began(getattr(item, "message", None))
            case "message_delta":
                self._stopped(getattr(item, "delta", None))
                self._output = count_of(getattr(getattr(item, "usage", None), "output_tokens", None))
            case "message_stop":
                self._over = True
            case "error":
                error = getattr(item, "error", None)
                message = text_of(getattr(error, "message", None)) or "error"
                return [Event(EventType.ERROR, message, kind_of(error))]
            case _ if hasattr(item, "content") and hasattr(item, "stop_reason"):
                return self._whole(item)
        return []

    def _began(self, message: Any) -> None:
        usage = getattr(message, "usage", None)
        self._id, self._model = text_of(getattr(message, "id", None)), text_of(getattr(message, "model", None))
        self._input = count_of(getattr(usage, "input_tokens", None))
        self._output = count_of(getattr(usage, "output_tokens", None))

    def _stopped(self, said: Any) -> None:
        reason = getattr(said, "stop_reason", None)
        if reason:
            self._reason = text_of(reason) or "error"

    def _start(self, block: Any) -> list[Event]:
        kind = kind_of(block)
        if kind in ("tool_use", "server_tool_use"):
            self._tool = [getattr(block, "id", None), getattr(block, "name", None), ""]
            return []
        if kind == "text":
            return said(EventType.TOKEN, getattr(block, "text", None))
        return [] if kind in (None, "thinking", "redacted_thinking") else [Event(EventType.DATA, "", block)]

    def _delta(self, delta: Any) -> list[Event]:
        match kind_of(delta):
            case "text_delta":
                return said(EventType.TOKEN, getattr(delta, "text", None))
            case "thinking_delta":
                return said(EventType.REASONING, getattr(delta, "thinking", None))
            case "input_json_delta" if self._tool is not None:
                self._tool[2] += text_of(getattr(delta, "partial_json", None)) or ""
        return []

    def _stop(self) -> list[Event]:
        tool, self._tool = self._tool, None
        return [tool_call(*tool)] if tool is not None else []

    def _whole(self, message: Any) -> list[Event]:
        self._began(message)
        self._stopped(message)
        events: list[Event] = []
        for block in items_in(getattr(message, "content", None)):
            kind = kind_of(block)
            if kind == "tool_use":
                events.append(_called(block))
            elif kind == "thinking":
                events += said(EventType.REASONING, getattr(block, "thinking", None))
            else:
                events += self._start(block)
        return events

    def whole(self) -> bool:
        """The model has said why it stopped."""
        return self._over or self._reason is not None

    def facts(self) -> ResponseMetadata:
        """As `Decoder.facts`."""
        return ResponseMetadata(
            response_id=self._id,
            model=self._model,
            finish_reasons=(self._reason or "error",),
            input_tokens=self._input,
            output_tokens=self._output,
        )


def _called(block: Any) -> Event:
    given = getattr(block, "input", None)
    name, place = text_of(getattr(block, "name", None)), text_of(getattr(block, "id", None))
    call = ToolCall(id=place or "", name=name or "", arguments=given, raw=json.dumps(given))
    return Event(EventType.TOOL_CALL, "", call)
