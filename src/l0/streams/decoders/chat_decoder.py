"""Chat completions and legacy completions, streamed or whole."""

from __future__ import annotations

from typing import Any

from l0.model.call_events import ResponseMetadata
from l0.model.tolerant_reading import items_in, place_of, text_of

from ..stream_events import Event, EventType
from .decoding_helpers import facts, said, tool_call


class ChatDecoder:
    """Text of the first choice; tool calls of it, each once its arguments are whole."""

    fenced = True

    def __init__(self) -> None:
        self._calls: dict[int, list[str]] = {}
        self._refusal: list[str] = []
        self.reasons: dict[int, str] = {}
        """Finish reasons, by choice."""
        self._choices: set[int] = set()
        self._id: Any = None
        self._model: Any = None
        self._usage: Any = None

    def decode(self, item: Any) -> list[Event]:
        """As `Decoder.decode`. A helper's stream has the chunk inside of its own event; its other events repeat it."""
        if getattr(item, "type", None) == "chunk":
            item = item.chunk
        choices = items_in(getattr(item, "choices", None))
        self._id = self._id or getattr(item, "id", None)
        self._model = self._model or getattr(item, "model", None)
        self._usage = getattr(item, "usage", None) or self._usage
        events: list[Event] = []
        for position, choice in enumerate(choices):
            # In an answer that came in one piece its place says which choice it is, whatever its number.
            index = position if hasattr(choice, "message") else place_of(getattr(choice, "index", None)) or 0
            self._choice(index, choice, events)
        return events

    def _choice(self, index: int, choice: Any, events: list[Event]) -> None:
        self._choices.add(index)
        if index == 0:
            self._said(getattr(choice, "delta", None) or getattr(choice, "message", None) or choice, events)
        reason = getattr(choice, "finish_reason", None)
        if reason:
            self.reasons[index] = text_of(reason) or "error"
            if index == 0:
                self._close(events)

    def _said(self, delta: Any, events: list[Event]) -> None:
        events += said(EventType.REASONING, getattr(delta, "reasoning_content", None))
        events += said(EventType.TOKEN, getattr(delta, "content", None) or getattr(delta, "text", None))
        refusal = getattr(delta, "refusal", None)
        if isinstance(refusal, str) and refusal:
            self._refusal.append(refusal)
        for position, part in enumerate(items_in(getattr(delta, "tool_calls", None))):
            index = place_of(getattr(part, "index", None))
            self._part(position if index is None else index, part, events)
        if getattr(delta, "audio", None):
            events.append(Event(EventType.DATA, "", delta.audio))

    def _part(self, index: int, part: Any, events: list[Event]) -> None:
        if index not in self._calls:
            self._finish_calls(events)
        call = self._calls.setdefault(index, ["", "", ""])
        function = getattr(part, "function", None) or getattr(part, "custom", None)
        call[0] = text_of(getattr(part, "id", None)) or call[0]
        call[1] = text_of(getattr(function, "name", None)) or call[1]
        call[2] += text_of(getattr(function, "arguments", None) or getattr(function, "input", None)) or ""

    def _finish_calls(self, events: list[Event]) -> None:
        events += [tool_call(*call) for _, call in sorted(self._calls.items())]
        self._calls.clear()

    def _close(self, events: list[Event]) -> None:
        self._finish_calls(events)
        if self._refusal:
            events.append(Event(EventType.MESSAGE, "".join(self._refusal)))
            self._refusal = []

    def whole(self) -> bool:
        """Every choice has a finish reason."""
        return bool(self._choices) and self._choices == self.reasons.keys()

    @property
    def begun(self) -> bool:
        """A tool call or a refusal is on its way, and would be lost if the answer were taken up."""
        return bool(self._calls or self._refusal)

    def facts(self) -> ResponseMetadata:
        """As `Decoder.facts`."""
        reasons = tuple(self.reasons.get(index, "error") for index in sorted(self._choices))
        return facts(self._id, self._model, reasons, self._usage, ("prompt_tokens", "completion_tokens"))
