"""Messages. Whole at ``message_stop``, or once a ``stop_reason`` came. Blocks come in order, one after the other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from l0.values.events import Facts
from l0.values.failures import Cause, Failure
from l0.values.handover import Handover
from l0.values.ports import Build
from l0.wire.resuming import ResumableReader

from .whole import message_facts

_DELTAS = {
    "text_delta": "text",
    "thinking_delta": "thinking",
    "input_json_delta": "partial_json",
    "citations_delta": "citation",
    "compaction_delta": "content",
}
_CONTENT = frozenset({"message_start", "content_block_start", "content_block_delta", "content_block_stop"})
"""Events that cannot belong to a message that has stopped."""
_OWN_BLOCKS = frozenset({"text", "thinking", "redacted_thinking", "tool_use", "fallback", "compaction"})
"""Blocks of the model's own; all others (server tools, their results, containers) are work on the server's side."""
_FILLED_BY_DELTAS = frozenset({"text", "thinking", "fallback", "compaction"})
"""Blocks that hold nothing when they start; every other one is content as it stands."""

Refuse = Callable[[bytes], Failure]


class MessagesReader(ResumableReader):
    """One streamed message.

    ``names``: the event names that the SDK hands over, or ``None`` for all; ``typed``: it adds a missing ``type``.
    ``refuse`` makes the failure of an ``error`` event.
    """

    def __init__(
        self, build: Build, content_type: str, *, names: frozenset[bytes] | None, typed: bool, refuse: Refuse
    ) -> None:
        super().__init__(build, content_type)
        self._names = names
        self._typed = typed
        self._refuse = refuse
        self._started = False
        self._whole = False
        self._stopped_at: str | None = None
        self._next = 0
        self._open: set[int] = set()
        self._offset = 0
        self._cumulative: dict[str, Any] = {}

    def take(self, name: bytes | None, data: bytes) -> Any:
        event = self.admit(name, data)
        return None if event is None else self.construct(event)

    def admit(self, name: bytes | None, data: bytes) -> Any:
        if name == b"ping":
            return None
        if name == b"error":
            self.fail(self._refuse(data))
            return None
        if name is None:
            return self._nameless(data)
        if self._names is not None and name not in self._names:
            return None
        return self._event(name, self.decode(data))

    def _nameless(self, data: bytes) -> Any:
        """A proxy dropped the names. The SDK skips such events in silence; their type says what they are."""
        event = self.decode(data) if data[:1] == b"{" else None
        kind = event.get("type") if type(event) is dict else None
        if type(kind) is not str or kind == "ping":
            return None
        if kind == "error":
            self.fail(self._refuse(data))
            return None
        self.odd("unnamed_event")
        return self._event(kind.encode(), event)

    def _event(self, name: bytes, event: Any) -> Any:
        if event is None:
            return None
        self.events += 1
        if type(event) is dict:
            if self._typed and "type" not in event:
                event["type"] = name.decode()
            if self._whole and event.get("type") in _CONTENT:
                self.odd("data_after_end")
                return None
            self.learn(event)
            if self.failure is not None:
                self.events -= 1  # the user does not get it: an attempt that takes this one up must not swallow it
                return None
        return event

    def learn(self, event: dict[str, Any]) -> None:
        kind = event.get("type")
        try:
            if kind == "content_block_delta":
                if event["index"] not in self._open:
                    self._out_of_order(f"a delta for block {_block(event['index'])}, which is not open")
                    return
                delta = event["delta"]
                field = _DELTAS.get(delta["type"])
                piece = delta.get(field) if field is not None else None
                if field == "text" and type(piece) is str and piece:  # as `said`, without the call
                    self.content += 1
                    self.chars += len(piece)
                    self.text.append(piece)
                else:
                    self.said(piece)
                    self.resumable = self.resumable and field == "text"
                    if field == "partial_json" and event["index"] in self.tools:
                        self.called(event["index"], None, piece)
            elif type(kind) is str:
                handle = _HANDLERS.get(kind)
                if handle is not None:
                    handle(self, event)
        except (KeyError, TypeError, AttributeError):
            self.odd("unknown_shape")

    def _message_start(self, event: dict[str, Any]) -> None:
        if self._started:
            self._out_of_order("a second message_start")
            return
        self._started = True
        message = event["message"]
        self.response_id, self.model = message.get("id"), message.get("model")
        self.usage = message.get("usage") or {}

    def _block_start(self, event: dict[str, Any]) -> None:
        index = event["index"]
        if not self._started or index != self._next:
            self._out_of_order(f"block {_block(index)} where block {self._next} was due")
            return
        self._next += 1
        self._open.add(index)
        kind = event["content_block"]["type"]
        if kind != "text":
            self.resumable = False
        if kind == "tool_use":
            self.called(index, event["content_block"].get("name"), None)
        if kind not in _OWN_BLOCKS:
            self.accepted = True
        if kind not in _FILLED_BY_DELTAS:
            self.other = True

    def _block_stop(self, event: dict[str, Any]) -> None:
        if event["index"] not in self._open:
            if event["index"] < self._next:
                self._out_of_order(f"a second end of block {event['index']}")
                return
            self.odd("stray_block_stop")  # no text is at stake
        self._open.discard(event["index"])

    def _message_delta(self, event: dict[str, Any]) -> None:
        self._stopped_at = event["delta"].get("stop_reason") or self._stopped_at
        # Counts are cumulative: they replace what message_start said, they do not add to it.
        self._cumulative = event.get("usage") or self._cumulative

    def _message_stop(self, event: dict[str, Any]) -> None:  # noqa: ARG002
        self._whole = True
        if self._open:
            self.odd("open_block")

    def piece(self, event: Any) -> str | None:
        if not isinstance(event, dict) or event.get("type") != "content_block_delta":
            return None
        delta = event.get("delta")
        return delta.get("text") if isinstance(delta, dict) and delta.get("type") == "text_delta" else None

    def with_piece(self, event: Any, text: str) -> Any:
        event["delta"]["text"] = text
        return event

    def carrier(self) -> Any:
        return {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": ""}}

    def ends(self, event: Any) -> bool:
        return isinstance(event, dict) and event.get("type") in ("message_delta", "message_stop")

    def opening(self, earlier: Handover) -> list[Any]:
        """A new block, where the user has no open one that the text could go on in."""
        if earlier.marks["open"]:
            return []
        return [{"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}]

    def closing(self, earlier: Handover) -> list[Any]:
        return self.finishing(earlier) if earlier.marks["open"] else []

    def finishing(self, earlier: Handover) -> list[Any]:  # noqa: ARG002
        return [{"type": "content_block_stop", "index": 0}]

    def marks(self) -> dict[str, Any]:
        return {"blocks": self._next + self._offset, "open": [index + self._offset for index in sorted(self._open)]}

    def take_up(self, earlier: Handover, strategy: str) -> None:
        super().take_up(earlier, strategy)
        if not self._exact:
            still_open = earlier.marks["open"]
            self._offset = still_open[0] if still_open else earlier.marks["blocks"]

    def renamed(self, event: Any, earlier: Handover) -> Any:  # noqa: ARG002
        """A continuation's first block goes on in the block that broke, or follows the last that was whole."""
        if self._offset and isinstance(event, dict) and type(event.get("index")) is int:
            event["index"] += self._offset
        return event

    def _out_of_order(self, message: str) -> None:
        self.fail(Failure(cause=Cause.OUT_OF_ORDER, message=message))

    def verdict(self) -> Cause | None:
        if self._whole and not self._started:
            return Cause.EMPTY
        if self._whole or self._stopped_at:
            if not self.content and not self.other:
                self.odd("no_content")
            if not self._stopped_at:
                self.odd("stop_without_reason")
            return None
        return self.missing()

    def facts(self) -> Facts:
        usage = self.usage | _given(self._cumulative)
        reason = self._stopped_at or "error"
        return message_facts(self.response_id, self.model, usage, reason, tuple(self.oddities))


_HANDLERS: dict[str, Callable[[MessagesReader, dict[str, Any]], None]] = {
    "message_start": MessagesReader._message_start,
    "content_block_start": MessagesReader._block_start,
    "content_block_stop": MessagesReader._block_stop,
    "message_delta": MessagesReader._message_delta,
    "message_stop": MessagesReader._message_stop,
}


def _block(index: object) -> object:
    """A block's number, for a message; anything else in its place is the server's own text."""
    return index if type(index) is int else "without a number"


def _given(usage: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in usage.items() if value is not None}
