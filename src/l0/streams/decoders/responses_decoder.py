"""The Responses API of openai, streamed or whole."""

from __future__ import annotations

from typing import Any

from l0.model.call_events import ResponseMetadata
from l0.model.tolerant_reading import items_in, text_of

from ..stream_events import Event, EventType
from .decoding_helpers import facts, kind_of, said, tool_call

_TERMINAL = frozenset({"response.completed", "response.incomplete"})
_FAILED = frozenset({"response.failed", "error"})


class ResponsesDecoder:
    """Text deltas; tool calls when their item is done."""

    fenced = True

    def __init__(self) -> None:
        self._response: Any = None
        self._over = False
        self.begun = False
        """A tool call is on its way."""

    def decode(self, item: Any) -> list[Event]:
        """As `Decoder.decode`."""
        kind = kind_of(item)
        if kind == "response.output_text.delta":
            return said(EventType.TOKEN, item.delta)
        if getattr(item, "object", None) == "response" or (kind is None and hasattr(item, "output")):
            return self._whole(item)
        if kind == "response.output_item.added":
            self.begun = self.begun or kind_of(getattr(item, "item", None)) != "message"
        elif kind == "response.output_item.done":
            return self._done(getattr(item, "item", None))
        elif kind in ("response.reasoning_summary_text.delta", "response.reasoning_text.delta"):
            return said(EventType.REASONING, getattr(item, "delta", None))
        elif kind == "response.refusal.done":
            return said(EventType.MESSAGE, getattr(item, "refusal", None))
        elif kind in _TERMINAL:
            self._response, self._over = getattr(item, "response", None), True
        elif kind in _FAILED:
            return _error(item if kind == "error" else getattr(getattr(item, "response", None), "error", None), kind)
        return []

    def _done(self, item: Any) -> list[Event]:
        kind = kind_of(item)
        if kind in ("function_call", "custom_tool_call"):
            raw = getattr(item, "arguments" if kind == "function_call" else "input", None)
            return [tool_call(getattr(item, "call_id", None), getattr(item, "name", None), raw)]
        if kind in (None, "message", "reasoning"):
            return []
        return [Event(EventType.DATA, "", item)]

    def _whole(self, response: Any) -> list[Event]:
        self._response = response
        self._over = getattr(response, "status", None) in ("completed", "incomplete")
        if getattr(response, "error", None):
            return _error(response.error, "error")
        events: list[Event] = []
        for item in items_in(getattr(response, "output", None)):
            if kind_of(item) != "message":
                events += self._done(item)
                continue
            parts = items_in(getattr(item, "content", None))
            for part in [part for part in parts if kind_of(part) == "output_text"]:
                events += said(EventType.TOKEN, getattr(part, "text", None))
            for part in [part for part in parts if kind_of(part) == "refusal"]:
                events += said(EventType.MESSAGE, getattr(part, "refusal", None))
        return events

    def whole(self) -> bool:
        """A terminal event has come."""
        return self._over

    def facts(self) -> ResponseMetadata:
        """As `Decoder.facts`."""
        response = self._response
        reasons = (text_of(getattr(response, "status", None)) or "error",)
        usage = getattr(response, "usage", None)
        names = ("input_tokens", "output_tokens")
        return facts(getattr(response, "id", None), getattr(response, "model", None), reasons, usage, names)


def _error(error: object, kind: str) -> list[Event]:
    message = text_of(getattr(error, "message", None))
    return [Event(EventType.ERROR, message or kind, text_of(getattr(error, "code", None)))]
