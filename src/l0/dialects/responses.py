"""Responses. Whole at ``response.completed`` or ``.incomplete``; ``.failed`` and ``error`` are typed failures."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from l0.model.call_events import ResponseMetadata
from l0.model.failure import Cause, Failure
from l0.model.ports import Build
from l0.model.resume_state import ResumeState
from l0.model.tolerant_reading import code_of, items_in, object_of, place_of, text_of

from .openai_answers import any_other, complete_answer, holds_other, response_facts
from .openai_errors import MakeError, cause_of, in_band
from .resumable_reader import ResumableReader

_TEXT = "response.output_text.delta"
_BEGINS = re.compile(rb'"type":\s?"response\.(created|in_progress)"')
"""Events of which an answer has one."""
_SERVER_TOOLS = (
    "response.web_search_call.",
    "response.file_search_call.",
    "response.code_interpreter_call",
    "response.image_generation_call.",
    "response.mcp_call",
    "response.mcp_list_tools.",
)


class ResponsesReader(ResumableReader):
    """One streamed response.

    ``kept``: the provider keeps it from ``response.created`` on; ``replays``: it can send it again from any event on.
    """

    def __init__(self, build: Build, content_type: str, *, kept: bool, replays: bool, make_error: MakeError) -> None:
        super().__init__(build, content_type)
        self._kept = kept
        self._replays = replays
        self._items: dict[int, str] = {}
        self._make_error = make_error
        self._whole = self._completed = False
        self._status: str | None = None
        self._tier: str | None = None
        self._first: int | None = None
        self._numbered = 0
        self._counts = False
        self._sequence: int | None = None
        self._last = b""
        self._part = 0
        self._sent = 0

    def decode_event(self, name: bytes | None, data: bytes) -> Any:  # noqa: ARG002 - the type stands in the data as well
        if data[:6] == b"[DONE]":
            self.mark_finished()
            return None
        event = self.decode(data)
        if event is None:
            self._uncounted()
            return None
        if type(event) is dict:
            if event.get("error") and event.get("type") != "response.failed":
                self.fail(in_band(event["error"], self._make_error))
                return None
            if self._completed and str(event.get("type")).endswith(".delta"):
                self.anomaly("data_after_end")
                return None
            number = event.get("sequence_number")
            if type(number) is not int:
                self._uncounted()
            elif not self._in_sequence(number, data):
                return None
            self.accepted = self.accepted or self._kept
            if not self.events and self._resume_state is None and self._headless(event):
                return None
            self.apply(event)
        else:
            self._uncounted()
        self.events += 1
        return event

    def _headless(self, event: dict[str, Any]) -> bool:
        """Whether the end comes first, and shows a text of which nothing came: the answer was lost on the way."""
        answer = event.get("response")
        if (
            event.get("type") != "response.completed"
            or type(answer) is not dict
            or not complete_answer("responses", answer)[1]
        ):
            return False
        self.fail(Failure(cause=Cause.OUT_OF_ORDER, message="the end of the answer came, and nothing before it"))
        return True

    def _uncounted(self) -> None:
        """An event without a number that can be read: the count begins anew with the next one."""
        if self._sequence is not None:
            self.anomaly("unnumbered_event")
            self._sequence = self._first = None
            self._numbered = 0
            self._counts = False

    def _in_sequence(self, number: int, data: bytes) -> bool:
        """Whether this is the next event. A server that does not really count is not held to it."""
        last, self._sequence = self._sequence, number
        repeated, self._last = data == self._last, data
        if last is None:
            self._first = number
        elif number == last and repeated and (self._counts or _BEGINS.search(data)):
            self.anomaly("duplicate_event")
            return False
        self._numbered += 1
        if last is None or number == last + 1 == (self._first or 0) + self._numbered - 1:
            self._counts = last is not None
            return True
        if not self._counts and number != last + 1:
            return True
        self.fail(Failure(cause=Cause.OUT_OF_ORDER, message=f"event {number} came after event {last}"))
        return False

    def apply(self, event: dict[str, Any]) -> None:
        kind = event.get("type")
        if type(kind) is not str:
            return
        if kind == _TEXT:
            before = self.chars
            self.add_text(event.get("delta"), answer=True)
            self._part += self.chars - before
        elif kind == "response.output_text.done":
            self._part_done(event.get("text"))
        elif kind.endswith(".delta"):
            self._other_delta(kind, event)
        elif kind.startswith("response.output_item."):
            self._item(kind, event)
        elif kind == "response.created":
            self._learn_response(event)
        elif kind in ("response.completed", "response.incomplete", "response.failed"):
            self._learn_response(event)
            self._whole = True
            self.other = self.other or any_other(event.get("response"))
            self._completed = kind == "response.completed"
            if kind == "response.failed":
                self._failed(object_of(event.get("response")).get("error"))
            else:
                self.failure: Failure | None = None  # it was not the last word after all
        elif kind == "error":
            self._whole, self._status = True, None
            self._failed(event)
        elif kind == "response.output_text.annotation.added":
            self.resumable = False
        elif kind.startswith(_SERVER_TOOLS):
            self.accepted = True
            self.resumable = False

    def _other_delta(self, kind: str, event: dict[str, Any]) -> None:
        self.add_text(event.get("delta"))
        self.resumable = False
        if kind == "response.function_call_arguments.delta":
            self.add_tool_arguments(place_of(event.get("output_index")), None, event.get("delta"))

    def _item(self, kind: str, event: dict[str, Any]) -> None:
        item = event.get("item")
        if kind == "response.output_item.done":
            self.other = self.other or holds_other(item)
            return
        if not isinstance(item, dict):
            return
        if item.get("type") != "message":
            self.resumable = False
            self.other = self.other or item.get("type") != "reasoning"
        if item.get("type") == "function_call":
            self.add_tool_arguments(place_of(event.get("output_index")), item.get("name"), item.get("arguments"))
        index, name = event.get("output_index"), item.get("id")
        if type(index) is int and type(name) is str:
            self._items[index] = name

    # -- taking up --------------------------------------------------------------------------------------------------

    def piece(self, event: Any) -> str | None:
        return text_of(event.get("delta")) if isinstance(event, dict) and event.get("type") == _TEXT else None

    def with_piece(self, event: Any, text: str) -> Any:
        event["delta"] = text
        return event

    def carrier(self) -> Any:
        raise LookupError("a response is taken up only where it is the same again")

    def ends(self, event: Any) -> bool:  # noqa: ARG002
        return False

    def marks(self) -> dict[str, Any]:
        if self._resume_state is None or self._replays:
            return {"sequence": self._sequence, "items": dict(self._items)}
        last = self._resume_state.marks["sequence"]
        sent = None if last is None else last + self._sent
        return {"sequence": sent, "items": self._items | self._resume_state.marks["items"]}

    def resume(self, resume_state: ResumeState, strategy: str) -> None:
        super().resume(resume_state, strategy)
        if self._replays:  # the provider itself goes on after the last event
            self._joined = True
            self.text = [resume_state.text]
            self.response_id = resume_state.response_id
            self._items = dict(resume_state.marks["items"])
            self._sequence = self._first = resume_state.marks["sequence"]
            self._numbered = 1
            self._counts = True

    def renamed(self, event: Any, resume_state: ResumeState) -> Any:
        """The same answer again has other ids, and counts from the start."""
        if self._replays or not isinstance(event, dict):
            return event
        items, last = resume_state.marks["items"], resume_state.marks["sequence"]
        if last is not None and "sequence_number" in event:
            self._sent += 1
            event["sequence_number"] = last + self._sent
        name = items.get(place_of(event.get("output_index")))
        if name is not None:
            _rename(event, "item_id", name)
            _rename(event.get("item"), "id", name)
        response = event.get("response")
        if isinstance(response, dict):
            _rename(response, "id", resume_state.response_id)
            for index, item in enumerate(items_in(response.get("output"))):
                _rename(item, "id", items.get(index))
        return event

    def _part_done(self, text: object) -> None:
        """The whole text of a part, once more: without sequence numbers the only sign of a lost or doubled delta."""
        if self._sequence is None and type(text) is str and len(text) != self._part:
            self.anomaly("text_differs_from_deltas")
        self._part = 0

    def _learn_response(self, event: dict[str, Any]) -> None:
        response = event.get("response")
        if type(response) is dict:
            self.response_id, self.model = text_of(response.get("id")), text_of(response.get("model"))
            self._status = text_of(response.get("status"))
            self._tier = text_of(response.get("service_tier"))
            self.usage = object_of(response.get("usage")) or self.usage

    def _failed(self, error: object) -> None:
        code, message = object_of(error).get("code"), object_of(error).get("message")
        detail = text_of(message) or ""
        self.fail(Failure(cause=cause_of(code), detail=detail, code=code_of(code), typed=True))

    def missing(self) -> Cause | None:
        if not self._whole:
            return self.missing_end()
        if not self.content and not self.other:
            self.anomaly("no_content")
        return None

    def metadata(self) -> ResponseMetadata:
        reasons = (self._status or "error",) if self._whole else ("error",)
        told = {"id": self.response_id, "model": self.model, "service_tier": self._tier}
        return replace(response_facts(told, self.usage, reasons), anomalies=tuple(self.anomalies))


def _rename(holder: Any, key: str, name: str | None) -> None:
    if isinstance(holder, dict) and key in holder and name is not None:
        holder[key] = name
