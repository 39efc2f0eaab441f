"""The Responses API of openai, streamed or whole."""

from __future__ import annotations

from typing import Any

from l0.values.events import Facts

from ..events import Event, EventType
from .base import facts, token, tool_call

_TERMINAL = frozenset({"response.completed", "response.incomplete"})
_FAILED = frozenset({"response.failed", "error"})


class ResponsesDecoder:
    """Text deltas; tool calls when their item is done."""

    def __init__(self) -> None:
        self._response: Any = None
        self._over = False
        self.begun = False
        """A tool call is on its way."""

    def decode(self, item: Any) -> list[Event]:
        """As `Decoder.decode`."""
        kind = getattr(item, "type", None)
        if kind == "response.output_text.delta":
            return [token(item.delta)] if item.delta else []
        if kind is None or getattr(item, "object", None) == "response":
            return self._whole(item)
        if kind == "response.output_item.added":
            self.begun = self.begun or item.item.type != "message"
        elif kind == "response.output_item.done":
            return self._done(item.item)
        elif kind in ("response.reasoning_summary_text.delta", "response.reasoning_text.delta"):
            return [Event(EventType.REASONING, item.delta)]
        elif kind == "response.refusal.done":
            return [Event(EventType.MESSAGE, item.refusal)]
        elif kind in _TERMINAL:
            self._response, self._over = item.response, True
        elif kind in _FAILED:
            error = item if kind == "error" else item.response.error
            return [Event(EventType.ERROR, str(getattr(error, "message", "") or kind), getattr(error, "code", None))]
        return []

    def _done(self, item: Any) -> list[Event]:
        if item.type in ("function_call", "custom_tool_call"):
            raw = item.arguments if item.type == "function_call" else item.input
            return [tool_call(item.call_id, item.name, raw)]
        if item.type in ("message", "reasoning"):
            return []
        return [Event(EventType.DATA, "", item)]

    def _whole(self, response: Any) -> list[Event]:
        self._response = response
        self._over = getattr(response, "status", None) in ("completed", "incomplete")
        if getattr(response, "error", None):
            return [Event(EventType.ERROR, str(response.error.message), response.error.code)]
        events: list[Event] = []
        for item in response.output:
            if item.type == "message":
                parts = [part for part in item.content if part.type == "output_text" and part.text]
                events += [token(part.text) for part in parts]
                refused = [part.refusal for part in item.content if part.type == "refusal"]
                events += [Event(EventType.MESSAGE, text) for text in refused]
            else:
                events += self._done(item)
        return events

    def whole(self) -> bool:
        """A terminal event has come."""
        return self._over

    def facts(self) -> Facts:
        """As `Decoder.facts`."""
        response = self._response
        reasons = (str(getattr(response, "status", None) or "error"),)
        usage = getattr(response, "usage", None)
        names = ("input_tokens", "output_tokens")
        return facts(getattr(response, "id", None), getattr(response, "model", None), reasons, usage, names)
