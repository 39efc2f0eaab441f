"""Chat completions. Whole when every choice has its ``finish_reason``, or at ``[DONE]``."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from l0.model.call_events import ResponseMetadata
from l0.model.failure import Cause, Failure
from l0.model.ports import Build
from l0.model.resume_state import ResumeState
from l0.model.tolerant_reading import object_of, objects_in, place_of, text_of

from .openai_answers import EXTRAS, completion_facts
from .openai_errors import MakeError, in_band
from .resumable_reader import ResumableReader

_SILENT_KEYS = frozenset({"role", "content"})


class ChatReader(ResumableReader):
    """One streamed chat completion of ``choices`` choices. ``wraps``: named events that the SDK wraps."""

    def __init__(
        self, build: Build, content_type: str, *, choices: int, wraps: frozenset[bytes], make_error: MakeError
    ) -> None:
        super().__init__(build, content_type)
        self._choices = choices
        self._wraps = bool(wraps)
        self._make_error = make_error
        self._done = False
        self._created: object = None
        self._extras: dict[str, object] = {}
        self._finish: dict[int, str] = {}

    def decode_event(self, name: bytes | None, data: bytes) -> Any:
        if data[:6] == b"[DONE]":
            self._done = True
            self.mark_finished()
            return None
        event = self.decode(data)
        if event is None:
            return None
        if type(event) is dict:
            if event.get("error") or name == b"error":
                self.fail(in_band(event.get("error") or event, self._make_error))
                return None
            self.apply(event)
        self.events += 1
        return event if name is None else self.dressed(name, event)

    def dressed(self, name: bytes | None, event: Any) -> Any:
        wrapped = name is not None and self._wraps and self._resume_state is None
        return {"data": event, "event": name.decode("utf-8", "replace")} if wrapped and name is not None else event

    def apply(self, event: dict[str, Any]) -> None:
        if self.model is None:
            self.begun(event)
        for choice in event["choices"]:
            delta = choice.get("delta")
            if delta:
                text = delta.get("content")
                if text:
                    self.content += 1
                    if type(text) is str:
                        self.chars += len(text)
                        index = choice.get("index")
                        if not index or type(index) is not int:  # gateways leave it out
                            self.text.append(text)
                    else:  # a list of parts (Mistral): content, but nothing that could be taken up or counted
                        self.resumable = False
                if not delta.keys() <= _SILENT_KEYS:
                    self._other_content(delta, choice.get("index"))
            reason = choice.get("finish_reason")
            if reason:
                self._finished(choice.get("index"), reason)
        usage = event.get("usage")
        if usage:
            self.usage = object_of(usage)

    def salvage(self, name: bytes | None, event: dict[str, Any]) -> None:
        for choice in objects_in(event.get("choices")):
            reason = choice.get("finish_reason")
            if reason:
                self._finished(choice.get("index"), reason)
        super().salvage(name, event)

    def begun(self, event: dict[str, Any]) -> None:
        """What the first event says of the answer."""
        self.response_id, self.model = text_of(event.get("id")), text_of(event.get("model"))
        self._created = event.get("created")
        self._extras = {name: event.get(name) for name in EXTRAS}

    def _other_content(self, delta: dict[str, Any], choice: object) -> None:
        for key, value in delta.items():
            if key in _SILENT_KEYS or not value:
                continue
            self.resumable = False
            if type(value) is str:
                self.add_text(value)
            elif key == "tool_calls":
                for call in objects_in(value):
                    function = object_of(call.get("function"))
                    place = place_of(choice), place_of(call.get("index"))
                    self.add_tool_arguments(place, function.get("name"), function.get("arguments"))
                    self.add_text((function or object_of(call.get("custom"))).get("arguments") or call)
            elif key in ("function_call", "audio", "reasoning_details"):
                self.add_text(value)
            elif isinstance(value, list | dict):
                self.other = True  # images of a gateway, say

    def _finished(self, index: object, reason: object) -> None:
        self._finish[place_of(index) or 0] = text_of(reason) or "error"
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

    def renamed(self, event: Any, resume_state: ResumeState) -> Any:
        if isinstance(event, dict):
            if resume_state.response_id is not None:
                event["id"] = resume_state.response_id
            event.update({name: value for name, value in resume_state.marks.items() if name in event})
        return event

    def marks(self) -> dict[str, Any]:
        return dict(self._resume_state.marks) if self._resume_state is not None else {"created": self._created}

    def missing(self) -> Cause | None:
        if self._done:
            if not self.events:
                return Cause.EMPTY
            if not self._finish:
                self.anomaly("done_without_finish_reason")
            elif not self.content and not self.other:
                self.anomaly("no_content")
            return None
        if len(self._finish) >= self._choices:
            if not self.content and not self.other:
                self.anomaly("no_content")
            return None
        return self.missing_end()

    def metadata(self) -> ResponseMetadata:
        expected = range(max(self._choices, len(self._finish)))
        reasons = tuple(self._finish.get(index, "error") for index in expected)
        told: dict[str, object] = {"id": self.response_id, "model": self.model, **self._extras}
        return replace(completion_facts(told, self.usage, reasons), anomalies=tuple(self.anomalies))
