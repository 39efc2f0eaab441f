"""The dialect of OpenAI's Responses API.

An answer is complete at ``response.completed`` or ``response.incomplete``. ``response.failed`` and ``error`` are typed
failures: the SDK delivers them to the user as events, and raises nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from l0.model.call_events import ResponseMetadata
from l0.model.failure import Cause, Failure
from l0.model.policy import OrderMode
from l0.model.ports import Build
from l0.model.resume_state import ResumeState
from l0.model.tolerant_reading import code_of, items_in, object_of, objects_in, place_of, text_of

from .answer_fold import complete_answer, metadata_of
from .content_parts import called_tool, part_deltas, tool_call_delta
from .deltas import (
    AnswerEnd,
    AnswerError,
    AudioDelta,
    CompleteItem,
    Delta,
    FileCitation,
    FinishDelta,
    ImagePreview,
    ItemStart,
    ReasoningDelta,
    RefusalDelta,
    StartDelta,
    TextDelta,
    ToolArgumentsDelta,
    ToolCallDelta,
    ToolCallEnd,
    UsageDelta,
    field,
    json_or_sdk_objects_in,
)
from .final_texts import Agreement, FinalTexts, same_arguments
from .provider_errors import MakeError, cause_of_codes, error_in, in_band_failure
from .resumable_reader import ResumableReader
from .wire_dialect import UsageFields, WireDialect, counts_in, extra_in

_TEXT = "response.output_text.delta"
_REASONING = frozenset({"response.reasoning_summary_text.delta", "response.reasoning_text.delta"})
_TOOL_ARGUMENTS = frozenset({"response.function_call_arguments.delta", "response.custom_tool_call_input.delta"})
_TOOL_CALLS = frozenset({"function_call", "custom_tool_call"})
"""Items that call functions of the user."""
_CLIENT_ITEMS = _TOOL_CALLS | {
    "message",
    "reasoning",
    "compaction",
    "apply_patch_call",
    "computer_call",
    "local_shell_call",
    "mcp_approval_request",
}
"""Items that have no effect, or that the user's program carries out. All others, also those that a later version of
the API adds, are work on the server, except a shell call in a local environment and a tool search of the client."""
_FINALS = {
    "response.refusal": "refusal",
    "response.reasoning_summary_text": "text",
    "response.reasoning_text": "text",
    "response.function_call_arguments": "arguments",
    "response.custom_tool_call_input": "input",
    "response.mcp_call_arguments": "arguments",
    "response.code_interpreter_call_code": "code",
}
"""Kinds of deltas besides text, each with the field in which its ``done`` event repeats the joined deltas."""
_FAILED_STATUSES = frozenset({"failed", "cancelled"})
"""Statuses of a response that ended before the model did."""
_ENDS = ("response.completed", "response.incomplete", "response.failed", "response.done")
_COMPLETE = frozenset({"completed", "incomplete"})
"""Statuses of an answer that ended without an error."""
_BEGINS = re.compile(rb'"type":\s?"response\.(created|in_progress)"')
"""Events that occur once per answer, so a second one is a duplicate."""
_SERVER_TOOLS = (
    "response.web_search_call.",
    "response.file_search_call.",
    "response.code_interpreter_call",
    "response.image_generation_call.",
    "response.mcp_call",
    "response.mcp_list_tools.",
    "response.shell_call_output_content",  # `response.shell_call_command.` also comes for a shell of the user
)

USAGE: UsageFields = {
    "input_tokens": ("input_tokens",),
    "output_tokens": ("output_tokens",),
    "cache_read_tokens": ("input_tokens_details", "cached_tokens"),
    "cache_write_tokens": ("input_tokens_details", "cache_write_tokens"),
    "reasoning_tokens": ("output_tokens_details", "reasoning_tokens"),
}


def response_deltas(event: Any) -> list[Delta]:
    """Return the deltas of an event, or of a complete response."""
    kind = text_of(field(event, "type"))
    if kind == _TEXT:
        return [TextDelta(text)] if (text := text_of(field(event, "delta"))) else []
    if field(event, "object") == "response" or (kind is None and field(event, "output") is not None):
        return answer_deltas(event)
    if kind in _REASONING:
        return [ReasoningDelta(text)] if (text := text_of(field(event, "delta"))) else []
    if kind in _TOOL_ARGUMENTS:
        place = place_of(field(event, "output_index"))
        return [ToolArgumentsDelta(place, text_of(field(event, "delta")) or "")]
    match kind:
        case "response.output_item.added":
            return _item_started(field(event, "item"), place_of(field(event, "output_index")))
        case "response.output_item.done":
            return _item_done(field(event, "item"), place_of(field(event, "output_index")))
        case "response.output_text.done" | "response.content_part.done":
            return _complete_text(_final_text(event))
        case "response.refusal.done":
            refusal = text_of(field(event, "refusal"))
            return [RefusalDelta(refusal, complete=True)] if refusal else []
        case "response.created":
            return _response_start(field(event, "response"))
        case "response.completed" | "response.incomplete" | "response.failed" | "response.done":
            return _response_end(field(event, "response"), kind)
        case "error":
            return [_error(event, kind)]
        case _:
            return _media(event, kind)


def answer_deltas(response: Any) -> list[Delta]:
    """Return the deltas of a complete response."""
    found = _response_start(response)
    status = text_of(field(response, "status")) or "error"
    if error := field(response, "error"):
        found.append(_error(error, "error"))
    for place, item in enumerate(json_or_sdk_objects_in(field(response, "output"))):
        if field(item, "type") != "message":
            found += _item_done(item, place)
            continue
        for part in json_or_sdk_objects_in(field(item, "content")):
            found += part_deltas(part)
            for annotation in json_or_sdk_objects_in(field(part, "annotations")):
                found += _cited(annotation, place)
    return [*found, FinishDelta(status, ends=status in _COMPLETE)]


def _response_start(response: Any) -> list[Delta]:
    extra = extra_in(response, "openai", "service_tier", "system_fingerprint")
    found: list[Delta] = [StartDelta(text_of(field(response, "id")), text_of(field(response, "model")), extra)]
    usage = field(response, "usage")
    return [*found, UsageDelta(counts_in(usage, USAGE))] if usage else found


def _response_end(response: Any, kind: str) -> list[Delta]:
    status = text_of(field(response, "status")) or "error"
    found = _response_start(response)
    if kind == "response.failed" or status in _FAILED_STATUSES:
        return [*found, FinishDelta(status, ends=False), _error(field(response, "error"), kind)]
    texts = [delta for item in json_or_sdk_objects_in(field(response, "output")) for delta in _item_text(item)]
    return [*found, *texts, FinishDelta(status), AnswerEnd()]


def _media(event: Any, kind: str | None) -> list[Delta]:
    index = place_of(field(event, "output_index")) or 0
    match kind:
        case "response.audio.delta":
            return [AudioDelta(event, data=text_of(field(event, "delta")) or "", index=index)]
        case "response.audio.transcript.delta":
            return [AudioDelta(event, transcript=text_of(field(event, "delta")) or "", index=index)]
        case "response.image_generation_call.partial_image":
            return [ImagePreview(event, index, place_of(field(event, "partial_image_index")) or 0)]
        case "response.output_text.annotation.added":
            return _cited(field(event, "annotation"), index)
    return []


def _cited(annotation: Any, index: int) -> list[Delta]:
    return [FileCitation(annotation, index)] if text_of(field(annotation, "file_id")) else []


def _final_text(event: Any) -> object:
    """Return the final text in an event that ends a part."""
    part = field(event, "part")
    return field(event, "text") if part is None or field(part, "type") != "output_text" else field(part, "text")


def _complete_text(text: object) -> list[Delta]:
    return [TextDelta(text, complete=True)] if type(text) is str and text else []


def _item_text(item: Any) -> list[Delta]:
    parts = json_or_sdk_objects_in(field(item, "content")) if field(item, "type") == "message" else ()
    return [
        delta for part in parts if field(part, "type") == "output_text" for delta in _complete_text(field(part, "text"))
    ]


def _item_started(item: Any, place: int | None) -> list[Delta]:
    kind = text_of(field(item, "type"))
    if kind in _TOOL_CALLS:
        return [tool_call_delta(item, place)]
    return [] if kind == "message" else [ItemStart()]


def _item_done(item: Any, place: int | None) -> list[Delta]:
    kind = text_of(field(item, "type"))
    if kind in _TOOL_CALLS:
        return [ToolCallEnd(place, tool_call_delta(item, place))]
    if kind == "message":
        return _item_text(item)
    return [] if kind in (None, "reasoning") else [CompleteItem(item, index=place or 0)]


def _error(error: Any, kind: str) -> AnswerError:
    return AnswerError(text_of(field(error, "message")) or kind, code_of(field(error, "code")))


def _runs_on_server(item: Mapping[str, Any]) -> bool:
    """Return True if an item shows work on the server, which may have effects."""
    kind = item.get("type")
    if kind == "shell_call":
        return object_of(item.get("environment")).get("type") != "local"
    if kind == "tool_search_call":
        return item.get("execution") != "client"
    return type(kind) is str and kind not in _CLIENT_ITEMS


def _holds_other(answer: object) -> bool:
    """Return True if a response contains something besides text."""
    output = answer.get("output") if isinstance(answer, Mapping) else None
    return isinstance(output, list) and any(map(_item_holds_other, output))


def _item_holds_other(item: object) -> bool:
    """Return True if an item contains something besides text: any tool call, non-empty reasoning, or a message with
    other parts."""
    if not isinstance(item, Mapping):
        return False
    if item.get("type") == "reasoning":
        return any(item.get(name) for name in ("summary", "content", "encrypted_content"))
    if item.get("type") != "message":
        return True
    parts = item.get("content")
    return isinstance(parts, list) and any(
        isinstance(part, Mapping) and part.get("type") != "output_text" and any(map(part.get, part.keys() - {"type"}))
        for part in parts
    )


RESPONSES = WireDialect(
    name="responses",
    deltas=response_deltas,
    answer_deltas=answer_deltas,
    holds_other=_holds_other,
    complete_reasons=frozenset({"completed"}),
)


class ResponsesReader(ResumableReader):
    """One streamed response.

    ``kept``: the provider stores the response from ``response.created`` on. ``replays``: the provider can send the
    response again, from any event on. ``make_error``: makes the SDK's exception for an error in the stream.
    """

    def __init__(
        self,
        build: Build,
        content_type: str,
        *,
        kept: bool,
        replays: bool,
        make_error: MakeError,
        order: OrderMode = "evidence",
    ) -> None:
        super().__init__(build, content_type, order)
        self._kept = kept
        self._replays = replays
        self._item_ids: dict[int, str] = {}
        self._make_error = make_error
        self._ended = False
        """An event came that ends the response, successfully or not."""
        self._completed = False
        """``response.completed`` came."""
        self._status: str | None = None
        self._extra: Mapping[str, str] = {}
        self._number: int | None = None
        """The ``sequence_number`` of the latest event; ``None`` if it had none."""
        self._first_number: int | None = None
        """The number of the first event since counting began."""
        self._counted = 0
        """The number of events since counting began."""
        self._is_consecutive = False
        """Since counting began, at least two events came, each with the number after that of the one before it."""
        self._latest_data = b""
        self._renumbered = 0
        """The number of events that got the number that follows those of the first attempt."""
        self._texts = FinalTexts()
        self._others: dict[str, FinalTexts] = {}
        """The fragments of other content, by the kinds in `_FINALS`."""

    def decode_event(self, name: bytes | None, data: bytes, event: Any) -> Any:  # noqa: ARG002 - the data contains the type as well
        if data[:6] == b"[DONE]":
            self.mark_finished()
            return None
        if event is None:
            event = self.decode(data)
        if event is None:
            self.has_unread_event = True
            self._restart_counting()
            return None
        if type(event) is dict:
            if event.get("error") and event.get("type") not in _ENDS:
                self.fail(in_band_failure(event["error"], event, self._make_error))
                return None
            if self._completed and str(event.get("type")).endswith(".delta"):
                self.note_anomaly("data_after_end")
                return None
            number = event.get("sequence_number")
            if type(number) is not int:
                self._restart_counting()
            elif not self._in_sequence(number, data):
                return None
            self.accepted = self.accepted or self._kept
            if not self.events and self._resume_state is None and self._lacks_beginning(event):
                return None
            self.apply(event)
            if self.stopped:
                return None
        else:
            self.has_unread_event = True
            self._restart_counting()
        return event

    def varying_fields(self, name: bytes | None, event: Any) -> dict[str, str | int] | None:  # noqa: ARG002
        text, number = event.get("delta"), event.get("sequence_number")
        if event.get("type") != _TEXT or event.get("error") or type(text) is not str or not text:
            return None
        if not type(number) is type(event.get("output_index")) is type(event.get("content_index")) is int:
            return None
        padding = event.get("obfuscation")
        fields: dict[str, str | int] = {"delta": text, "sequence_number": number}
        return fields | {"obfuscation": padding} if type(padding) is str else fields

    def next_repeat(self, event: Any) -> int | None:  # noqa: ARG002 - text is accepted at any place
        last = self._number
        if (
            last is None
            or last < 0
            or not self._is_consecutive
            or last != (self._first_number or 0) + self._counted - 1
        ):
            return None
        return None if self._completed or not self.events else last + 1

    def repeated(self, event: Any, count: int, data: bytes) -> None:
        assert self._number is not None
        self._number += count
        self._counted += count
        self._latest_data = data
        place = (event["output_index"], event["content_index"])
        self._texts.fragments.setdefault(place, []).extend(self.text[-count:])

    def _lacks_beginning(self, event: dict[str, Any]) -> bool:
        """Return True, and fail, if the terminal event comes first and contains text: the events before it were lost.

        Return False if `Policy.order` accepts that.
        """
        answer = event.get("response")
        if (
            event.get("type") != "response.completed"
            or type(answer) is not dict
            or not complete_answer(RESPONSES, answer).text
        ):
            return False
        return not self.disorder("the end of the answer came, and nothing before it", anomaly="text_without_deltas")

    def _restart_counting(self) -> None:
        """Handle an event without a readable number: counting begins again at the next event."""
        if self._number is not None:
            self.note_anomaly("unnumbered_event")
            self._number = self._first_number = None
            self._counted = 0
            self._is_consecutive = False

    def _in_sequence(self, number: int, data: bytes) -> bool:
        """Return True if this event must be read: it is neither a duplicate nor, if order matters, out of sequence.

        Numbers prove nothing unless the server has numbered its events consecutively so far.
        """
        last, self._number = self._number, number
        repeated, self._latest_data = data == self._latest_data, data
        if last is None:
            self._first_number = number
        elif number == last and repeated and self._order != "off" and (self._is_consecutive or _BEGINS.search(data)):
            self.note_anomaly("duplicate_event")
            return False
        self._counted += 1
        if last is None or number == last + 1 == (self._first_number or 0) + self._counted - 1:
            self._is_consecutive = last is not None
            return True
        if not self._is_consecutive and number != last + 1:
            return True
        self._is_consecutive, self._first_number, self._counted = False, number, 1
        return self.disorder(f"event {number} came after event {last}")

    def apply(self, event: dict[str, Any]) -> None:
        """Read the same as `response_deltas`, without objects and calls for plain text: this runs once per token."""
        kind = event.get("type")
        if type(kind) is not str:
            self.has_unread_event = True
            self._unknown(event)
            return
        if kind == _TEXT:
            fragment = event.get("delta")
            if type(fragment) is str and fragment:  # like `add_text`, without function calls
                fragments = self._texts.fragments
                try:
                    place = (event["output_index"], event["content_index"])
                except KeyError:
                    place = _place_in(event)
                if place in fragments:
                    fragments[place] += [fragment]
                else:
                    fragments[place] = [fragment]
                self.content += 1
                self.chars += len(fragment)
                self.text.append(fragment)
            else:
                self.add_text(fragment)
                self.has_unread_event = self.has_unread_event or type(fragment) is not str
        elif kind.endswith(".delta"):
            self._other_delta(kind, event)
        elif kind.endswith(".done") and kind not in ("response.output_item.done", "response.done"):
            self._done(kind[:-5], event)
        else:
            self._other_event(kind, event)

    def _other_event(self, kind: str, event: dict[str, Any]) -> None:
        if kind.startswith("response.output_item."):
            self._item(kind, event)
        elif kind == "response.created":
            self._read_response(event)
        elif kind in _ENDS:
            self._answer_end(kind, event)
        elif kind == "error":
            self._ended, self._status = True, None
            self._failed(event)
        elif kind == "response.output_text.annotation.added":
            self.resumable = False
        elif kind.startswith(_SERVER_TOOLS):
            self._server_works()
        elif not kind.startswith("response."):
            self._unknown(event)

    def _server_works(self) -> None:
        """Record that a tool of the server has begun: a repeated request would run it again."""
        self.accepted = True
        self.resumable = False

    def _unknown(self, event: dict[str, Any]) -> None:
        """Read an event that this dialect does not have: a gateway's own, perhaps an error in another format."""
        self.has_unread_event = self.has_unread_event or "delta" in event
        error = error_in(event)
        if error is not None:
            self.fail(in_band_failure(error, event, self._make_error))

    def _differs(self, message: str) -> None:
        """Record that a final text differs from its deltas: an anomaly if an event could not be read, else a
        disorder."""
        if self.has_unread_event:
            self.note_anomaly("text_differs_from_deltas")
        else:
            self.disorder(message, proof=True)

    def _answer_end(self, kind: str, event: dict[str, Any]) -> None:
        self._read_response(event)
        self._ended = True
        response = object_of(event.get("response"))
        self.other = self.other or _holds_other(response)
        self._completed = kind in ("response.completed", "response.done")
        if kind == "response.done":
            self.note_anomaly("response_done")
        if kind == "response.failed" or text_of(response.get("status")) in _FAILED_STATUSES:
            self._failed(response.get("error"))
            return
        if self.failure is not None and self.failure.typed:
            self.failure: Failure | None = None  # the answer continued after that error event
        for index, item in enumerate(items_in(response.get("output"))):
            self._compare_item(item, index, complete=True)

    def _other_delta(self, kind: str, event: dict[str, Any]) -> None:
        fragment = event.get("delta")
        self.add_text(fragment)
        self.resumable = False
        place = place_of(event.get("output_index"))
        self.has_unread_event = self.has_unread_event or type(fragment) is not str
        if kind[:-6] in _FINALS and type(fragment) is str:
            fragments = self._others.setdefault(kind[:-6], FinalTexts()).fragments
            fragments.setdefault(_place_in(event), []).append(fragment)
        if kind in _TOOL_ARGUMENTS and place in self.tools:
            self.add_tool_arguments(place, None, event.get("delta"))

    def _done(self, kind: str, event: dict[str, Any]) -> None:
        """Read the ``done`` event of a part: compare its final text with the deltas."""
        if kind.startswith(_SERVER_TOOLS):
            self._server_works()
        place = _place_in(event)
        if kind in ("response.output_text", "response.content_part"):
            self._compare_text(place, _final_text(event))
        elif kind in self._others:
            final, texts = event.get(_FINALS[kind]), self._others[kind]
            different = texts.compare(place, final) is Agreement.DIFFERENT
            if different and not same_arguments("".join(texts.fragments.get(place, ())), str(final)):
                self._differs(f"the end of {kind} differs from its deltas")
            texts.fragments.pop(place, None)

    def _compare_text(self, place: tuple[object, object], final: object) -> None:
        match self._texts.compare(place, final):
            case Agreement.DIFFERENT if "".join(self.text) == final:
                self.note_anomaly("text_differs_from_deltas")  # the deltas of one part had several indices
            case Agreement.DIFFERENT:
                self._differs("the final text differs from its deltas")
            case Agreement.ALONE:
                self.note_anomaly("text_without_deltas")
                self.resumable = False
                self.add_text(final, first_choice=True)
            case Agreement.NEARLY:
                self.note_anomaly("text_differs_from_deltas")

    def _compare_item(self, item: object, index: object, *, complete: bool = False) -> None:
        """Compare an item in the event that ends it, or in the end of the answer (``complete``), with its deltas."""
        fields = object_of(item)
        if fields.get("type") == "message":
            for number, part in enumerate(objects_in(fields.get("content"))):
                if part.get("type") == "output_text":
                    self._compare_text((index, number), part.get("text"))
        elif fields.get("type") in _TOOL_CALLS and isinstance(called_tool(fields).arguments, str | None):
            self.called_free_text_tool = self.called_free_text_tool or fields.get("type") == "custom_tool_call"
            self._compare_tool(tool_call_delta(item, index), complete=complete)

    def _compare_tool(self, call: ToolCallDelta, *, complete: bool) -> None:
        """Replace the fragments of a call by the complete call, if they agree. ``complete``: as in `_compare_item`."""
        from_deltas = ["".join(each.arguments) for each in self.tools.values()]
        if complete and any(same_arguments(text, call.arguments) for text in from_deltas):
            return
        known = self.tools.get(call.place)
        differs = known is not None and not same_arguments("".join(known.arguments), call.arguments)
        if differs or (complete and from_deltas):
            self._differs("a tool call differs from its deltas")
        elif call.arguments or known is None:
            self.tools.pop(call.place, None)
            self.add_tool_arguments(call.place, call.name, call.arguments)

    def _item(self, kind: str, event: dict[str, Any]) -> None:
        item = event.get("item")
        if _runs_on_server(object_of(item)):
            self._server_works()
        if kind == "response.output_item.done":
            self.other = self.other or _item_holds_other(item)
            self._compare_item(item, place_of(event.get("output_index")))
            return
        if not isinstance(item, dict):
            return
        if item.get("type") != "message":
            self.resumable = False
            self.called_free_text_tool = self.called_free_text_tool or item.get("type") == "custom_tool_call"
            self.other = self.other or item.get("type") != "reasoning"
        for delta in _item_started(item, place_of(event.get("output_index"))):
            if isinstance(delta, ToolCallDelta):
                self.add_tool_arguments(delta.place, delta.name, called_tool(item).arguments)
        index, item_id = event.get("output_index"), item.get("id")
        if type(index) is int and type(item_id) is str:
            self._item_ids[index] = item_id

    # -- resuming ---------------------------------------------------------------------------------------------------

    def event_text(self, event: Any) -> str | None:
        return text_of(event.get("delta")) if isinstance(event, dict) and event.get("type") == _TEXT else None

    def with_text(self, event: Any, text: str) -> Any:
        event["delta"] = text
        return event

    def empty_text_event(self) -> Any:
        raise LookupError("a response can be resumed only by replaying the identical answer")

    def ends(self, event: Any) -> bool:  # noqa: ARG002
        return False

    def reader_state(self) -> dict[str, Any]:
        if self._resume_state is None or self._replays:
            return {"sequence": self._number, "items": dict(self._item_ids), "texts": self._texts.fragments}
        last = self._resume_state.reader_state["sequence"]
        latest = None if last is None else last + self._renumbered
        return {"sequence": latest, "items": self._item_ids | self._resume_state.reader_state["items"]}

    def resume(self, resume_state: ResumeState, strategy: str) -> None:
        super().resume(resume_state, strategy)
        if self._replays:  # the provider itself continues after the last event
            self._joined = True
            self.text = [resume_state.text]
            self.response_id = resume_state.response_id
            self._item_ids = dict(resume_state.reader_state["items"])
            self._texts.fragments = {
                place: list(fragments) for place, fragments in resume_state.reader_state["texts"].items()
            }
            self._number = self._first_number = resume_state.reader_state["sequence"]
            self._counted = 1
            self._is_consecutive = True

    def with_first_ids(self, event: Any, resume_state: ResumeState) -> Any:
        """Restore ids and numbers: the answer to the repeated request has other ids, and its numbers start again."""
        if self._replays or not isinstance(event, dict):
            return event
        items, last = resume_state.reader_state["items"], resume_state.reader_state["sequence"]
        if last is not None and "sequence_number" in event:
            self._renumbered += 1
            event["sequence_number"] = last + self._renumbered
        item_id = items.get(place_of(event.get("output_index")))
        if item_id is not None:
            _set_id(event, "item_id", item_id)
            _set_id(event.get("item"), "id", item_id)
        response = event.get("response")
        if isinstance(response, dict):
            _set_id(response, "id", resume_state.response_id)
            for index, item in enumerate(items_in(response.get("output"))):
                _set_id(item, "id", items.get(index))
        return event

    def _read_response(self, event: dict[str, Any]) -> None:
        response = event.get("response")
        if type(response) is dict:
            response_id = text_of(response.get("id")) or None
            is_start = event.get("type") == "response.created"
            if is_start and self.content and response_id not in (None, self.response_id):
                self.disorder("the start of another answer", proof=True)
            self.response_id = response_id or self.response_id
            self.model = text_of(response.get("model")) or self.model
            self._status = text_of(response.get("status"))
            self._extra = extra_in(response, "openai", "service_tier", "system_fingerprint")
            self.usage = object_of(response.get("usage")) or self.usage

    def _failed(self, error: object) -> None:
        code, message = object_of(error).get("code"), object_of(error).get("message")
        detail = text_of(message) or ""
        raised = self._make_error(detail or "An error occurred during streaming", error)
        cause = cause_of_codes(code)
        self.fail(Failure(cause=cause, detail=detail, code=code_of(code), error=raised, typed=True))

    def states_no_limit(self) -> bool:
        return self._completed and self._status in RESPONSES.complete_reasons

    def incomplete_cause(self) -> Cause | None:
        if not self._ended:
            return self.cause_without_end()
        if not self.content and not self.other:
            self.note_anomaly("no_content")
        return None

    def metadata(self) -> ResponseMetadata:
        reasons = (self._status or "error",) if self._ended else ("error",)
        counts = counts_in(self.usage, USAGE)
        return metadata_of(
            RESPONSES, self.response_id, self.model, counts, reasons, self._extra, anomalies=tuple(self.anomalies)
        )


def _place_in(event: Mapping[str, Any]) -> tuple[object, object]:
    """Return the place of a delta: the index of its item, and of the part in it."""
    index = event.get("content_index")
    return event.get("output_index"), event.get("summary_index") if index is None else index


def _set_id(holder: Any, key: str, value: str | None) -> None:
    if isinstance(holder, dict) and key in holder and value is not None:
        holder[key] = value
