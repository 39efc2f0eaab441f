"""The messages API of anthropic: the wire's events, a helper's, or a whole message."""

from __future__ import annotations

import json
from typing import Any

from l0.values.events import Facts

from ..events import Event, EventType, ToolCall
from .base import count, token, tool_call


class MessagesDecoder:
    """Text and thinking deltas; tool calls when their block stops."""

    def __init__(self) -> None:
        self._tool: list[str] | None = None
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
        match item.type:
            case "content_block_delta":
                return self._delta(item.delta)
            case "content_block_start":
                return self._start(item.content_block)
            case "content_block_stop":
                return self._stop()
            case "message_start":
                self._began(item.message)
            case "message_delta":
                self._reason = item.delta.stop_reason or self._reason
                self._output = count(getattr(item.usage, "output_tokens", None))
            case "message_stop":
                self._over = True
            case "error":
                return [Event(EventType.ERROR, str(item.error.message), item.error.type)]
            case "message":
                return self._whole(item)
        return []

    def _began(self, message: Any) -> None:
        self._id, self._model = message.id, message.model
        self._input = count(getattr(message.usage, "input_tokens", None))
        self._output = count(getattr(message.usage, "output_tokens", None))

    def _start(self, block: Any) -> list[Event]:
        if block.type in ("tool_use", "server_tool_use"):
            self._tool = [block.id, block.name, ""]
            return []
        if block.type == "text":
            return [token(block.text)] if block.text else []
        return [] if block.type in ("thinking", "redacted_thinking") else [Event(EventType.DATA, "", block)]

    def _delta(self, delta: Any) -> list[Event]:
        match delta.type:
            case "text_delta":
                return [token(delta.text)] if delta.text else []
            case "thinking_delta":
                return [Event(EventType.REASONING, delta.thinking)]
            case "input_json_delta" if self._tool is not None:
                self._tool[2] += delta.partial_json
        return []

    def _stop(self) -> list[Event]:
        tool, self._tool = self._tool, None
        return [tool_call(*tool)] if tool is not None else []

    def _whole(self, message: Any) -> list[Event]:
        self._began(message)
        self._reason = message.stop_reason
        events: list[Event] = []
        for block in message.content:
            if block.type == "tool_use":
                call = ToolCall(id=block.id, name=block.name, arguments=block.input, raw=json.dumps(block.input))
                events.append(Event(EventType.TOOL_CALL, "", call))
            elif block.type == "thinking":
                events.append(Event(EventType.REASONING, block.thinking))
            else:
                events += self._start(block)
        return events

    def whole(self) -> bool:
        """The model has said why it stopped."""
        return self._over or self._reason is not None

    def facts(self) -> Facts:
        """As `Decoder.facts`."""
        return Facts(
            response_id=self._id,
            model=self._model,
            finish_reasons=(self._reason or "error",),
            input_tokens=self._input,
            output_tokens=self._output,
        )
