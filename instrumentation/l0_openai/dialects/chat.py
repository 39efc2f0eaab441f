"""Chat completions. Whole when every choice has its ``finish_reason``, or at ``[DONE]``."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from l0.values.events import Facts
from l0.values.failures import Cause, Failure
from l0.values.handover import Handover
from l0.values.ports import Build
from l0.wire.resuming import ResumableReader

from ..in_band import in_band
from ..whole import EXTRAS, completion_facts

_SILENT_KEYS = frozenset({"role", "content"})


class ChatReader(ResumableReader):
    """One streamed chat completion of ``choices`` choices. ``wraps``: named events that the SDK wraps."""

    def __init__(self, build: Build, content_type: str, *, choices: int, wraps: frozenset[bytes], request: Any) -> None:
        super().__init__(build, content_type)
        self._choices = choices
        self._wraps = bool(wraps)
        self._request = request
        self._done = False
        self._created: object = None
        self._extras: dict[str, Any] = {}
        self._finish: dict[int, str] = {}

    def take(self, name: bytes | None, data: bytes) -> Any:
        event = self.admit(name, data)
        if event is None:
            return None
        if name is not None and self._wraps:
            event = {"data": event, "event": name.decode()}
        return self.construct(event)

    def admit(self, name: bytes | None, data: bytes) -> Any:
        if data[:6] == b"[DONE]":
            self._done = True
            self.finish()
            return None
        event = self.decode(data)
        if event is None:
            return None
        if type(event) is dict:
            if event.get("error") or name == b"error":
                self.fail(in_band(event.get("error") or event, self._request))
                return None
            self.learn(event)
        self.events += 1
        return event

    def learn(self, event: dict[str, Any]) -> None:
        try:
            if self.model is None:
                self.begun(event)
            for choice in event["choices"]:
                delta = choice.get("delta")
                if delta:
                    text = delta.get("content")
                    if text:
                        self.content += 1
                        self.chars += len(text)
                        if not choice.get("index"):
                            self.text.append(text)
                    if not delta.keys() <= _SILENT_KEYS:
                        self._other_content(delta, choice.get("index"))
                reason = choice.get("finish_reason")
                if reason:
                    self._finished(choice.get("index") or 0, reason)
            usage = event.get("usage")
            if usage:
                self.usage = usage
        except (KeyError, TypeError, AttributeError):
            self.odd("unknown_shape")

    def begun(self, event: dict[str, Any]) -> None:
        """What the first event says of the answer."""
        self.response_id, self.model, self._created = event.get("id"), event.get("model"), event.get("created")
        self._extras = {name: event.get(name) for name in EXTRAS}

    def _other_content(self, delta: dict[str, Any], choice: object) -> None:
        for key, value in delta.items():
            if key in _SILENT_KEYS or not value:
                continue
            self.resumable = False
            if type(value) is str:
                self.said(value)
            elif key == "tool_calls":
                for call in value:
                    function = call.get("function") or {}
                    self.called((choice, call.get("index")), function.get("name"), function.get("arguments"))
                    self.said((call.get("function") or call.get("custom") or {}).get("arguments") or call)
            elif key in ("function_call", "audio", "reasoning_details"):
                self.said(value)
            elif isinstance(value, list | dict):
                self.other = True  # images of a gateway, say

    def _finished(self, index: int, reason: str) -> None:
        self._finish[index] = reason
        if reason == "error":
            message = "the provider ended the answer with finish_reason 'error'"
            self.fail(Failure(cause=Cause.IN_BAND_ERROR, message=message, typed=True))

    def piece(self, event: Any) -> str | None:
        try:
            delta = event["choices"][0]["delta"]
            text = delta.get("content")
            return text if isinstance(text, str) else None
        except (KeyError, IndexError, TypeError, AttributeError):
            return None

    def with_piece(self, event: Any, text: str) -> Any:
        event["choices"][0]["delta"]["content"] = text
        return event

    def ends(self, event: Any) -> bool:
        try:
            return not event["choices"] or bool(event["choices"][0].get("finish_reason"))
        except (KeyError, IndexError, TypeError, AttributeError):
            return False

    def carrier(self) -> Any:
        told = {
            "id": self.response_id,
            "object": "chat.completion.chunk",
            "created": self._created,
            "model": self.model,
        }
        return {**told, "choices": [{"index": 0, "delta": {"content": ""}, "finish_reason": None}]}

    def renamed(self, event: Any, earlier: Handover) -> Any:
        if isinstance(event, dict):
            if earlier.response_id is not None:
                event["id"] = earlier.response_id
            event.update({name: value for name, value in earlier.marks.items() if name in event})
        return event

    def marks(self) -> dict[str, Any]:
        return dict(self._earlier.marks) if self._earlier is not None else {"created": self._created}

    def verdict(self) -> Cause | None:
        if self._done:
            if not self.events:
                return Cause.EMPTY
            if not self._finish:
                self.odd("done_without_finish_reason")
            elif not self.content and not self.other:
                self.odd("no_content")
            return None
        if len(self._finish) >= self._choices:
            if not self.content and not self.other:
                self.odd("no_content")
            return None
        return self.missing()

    def facts(self) -> Facts:
        expected = range(max(self._choices, len(self._finish)))
        reasons = tuple(self._finish.get(index, "error") for index in expected)
        told = {"id": self.response_id, "model": self.model, **self._extras}
        return replace(completion_facts(told, self.usage, reasons), oddities=tuple(self.oddities))
