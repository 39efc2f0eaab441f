"""Chat completions. An answer is complete at ``[DONE]``, or once every choice that has content has a
``finish_reason``."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from l0.model.call_events import ResponseMetadata
from l0.model.failure import Cause, Failure
from l0.model.policy import OrderMode
from l0.model.ports import Build
from l0.model.resume_state import ResumeState
from l0.model.tolerant_reading import code_of, items_in, object_of, objects_in, place_of, text_of

from .answer_fold import metadata_of
from .content_parts import tool_call_delta
from .deltas import (
    AnswerError,
    AudioDelta,
    ChoiceDelta,
    CompleteItem,
    Delta,
    FinishDelta,
    ReasoningDelta,
    RefusalDelta,
    StartDelta,
    TextDelta,
    ToolCallDelta,
    UsageDelta,
    field,
    json_or_sdk_objects_in,
)
from .provider_errors import FAILURE_REASONS, MakeError, cause_of_codes, codes_in, error_in, in_band_failure
from .resumable_reader import ResumableReader
from .token_numbers import TokenNumbers
from .tool_places import ToolPlaces
from .wire_dialect import UsageFields, WireDialect, counts_in, extra_in

_IMAGES = ("image", "image_url")
_SILENT_KEYS = frozenset({"role", "content"})
"""Keys of a delta that are not content of their own kind: the role carries none, and text is read separately."""
_EXTRA = ("service_tier", "system_fingerprint")
"""Fields of an answer that become span attributes of this provider only."""
_FAILED = "the provider ended the answer with an error"
USAGE: UsageFields = {
    "input_tokens": ("prompt_tokens",),
    "output_tokens": ("completion_tokens",),
    "cache_read_tokens": ("prompt_tokens_details", "cached_tokens"),
    "cache_write_tokens": ("prompt_tokens_details", "cache_write_tokens"),
    "reasoning_tokens": ("completion_tokens_details", "reasoning_tokens"),
}


def completion_deltas(event: Any) -> list[Delta]:
    """Return the deltas of a chunk or of a complete answer, of chat or of a legacy completion."""
    if field(event, "type") == "chunk":  # an event of the SDK's stream helper, whose other events repeat the chunk
        event = field(event, "chunk")
    start = StartDelta(text_of(field(event, "id")), text_of(field(event, "model")), _extra_of(event))
    found: list[Delta] = [start]
    for position, choice in enumerate(json_or_sdk_objects_in(field(event, "choices"))):
        found += _choice_deltas(choice, position)
    groq = field(event, "x_groq")
    usage = field(event, "usage") or field(groq, "usage")
    if usage:
        found.append(UsageDelta(counts_in(usage, USAGE)))
    if error := field(groq, "error"):
        found.append(AnswerError(_FAILED, code_of(error)))
    return found


def _choice_deltas(choice: Any, position: int) -> list[Delta]:
    message = field(choice, "message")
    # In a complete answer, the position of a choice is its number, whatever its `index` is.
    index = position if message is not None else place_of(field(choice, "index")) or 0
    found = _content_deltas(field(choice, "delta") or message or choice, index)
    alone = not found
    if usage := field(choice, "usage"):  # Moonshot puts the usage into the choice
        found.append(UsageDelta(counts_in(usage, USAGE)))
    reason = field(choice, "finish_reason")
    if reason:
        found.append(FinishDelta(text_of(reason) or "error", index, alone=alone))
        if text_of(reason) in FAILURE_REASONS:
            found.append(AnswerError(_FAILED, code_of(*codes_in(field(choice, "error")))))
    return found or [ChoiceDelta(index)]


def _content_deltas(content: Any, choice: int) -> list[Delta]:
    found: list[Delta] = []
    # `reasoning_content`: DeepSeek and others. `reasoning`: OpenRouter and vLLM.
    if reasoning := text_of(field(content, "reasoning_content") or field(content, "reasoning")):
        found.append(ReasoningDelta(reasoning, choice))
    text_or_parts = field(content, "content") or field(content, "text")
    parts = (text_or_parts,) if isinstance(text_or_parts, str) else items_in(text_or_parts)
    found += [TextDelta(text, choice) for part in parts if (text := text_of(part) or _part_text(part))]
    if refusal := text_of(field(content, "refusal")):
        found.append(RefusalDelta(refusal, choice))
    found += _tool_deltas(field(content, "tool_calls"), choice)
    if audio := field(content, "audio"):
        data, transcript = (text_of(field(audio, name)) or "" for name in ("data", "transcript"))
        found.append(AudioDelta(audio, data, transcript, choice))
    images = [part for part in parts if text_of(part) is None and text_of(field(part, "type")) in _IMAGES]
    images += json_or_sdk_objects_in(field(content, "images"))  # OpenRouter
    found += [CompleteItem(image, choice, number) for number, image in enumerate(images)]
    return found


def _part_text(part: Any) -> str | None:
    """Return the text of a part of a message's content; ``None`` for a part of another kind."""
    return text_of(field(part, "text")) if field(part, "type") == "text" else None


def _tool_deltas(calls: object, choice: int) -> list[ToolCallDelta]:
    found = []
    for position, call in enumerate(json_or_sdk_objects_in(calls)):
        index = place_of(field(call, "index"))
        found.append(tool_call_delta(call, (choice, position if index is None else index), choice=choice))
    return found


def _extra_of(event: Any) -> dict[str, str]:
    return extra_in(event, "openai", *_EXTRA)


def _holds_other(answer: Mapping[str, Any]) -> bool:
    """Return True if the first choice of a complete answer contains anything besides text."""
    first = object_of(next(iter(items_in(answer.get("choices"))), None))
    message = object_of(first.get("message"))
    content = message.get("content") or first.get("text") or ""
    return type(content) is not str or any(value for key, value in message.items() if key not in _SILENT_KEYS)


CHAT = WireDialect(
    name="chat",
    deltas=completion_deltas,
    answer_deltas=completion_deltas,
    holds_other=_holds_other,
    tool_call_ends_at_next=True,
    complete_reasons=frozenset({"stop", "tool_calls", "function_call", "end_turn", "tool_use", "eos", "eos_token"}),
)


class ChatReader(ResumableReader):
    """One streamed chat completion.

    ``choices``: the number of choices requested. ``wraps``: if not empty, the SDK wraps events that have a name.
    ``make_error``: makes the SDK's exception for an error in the stream.
    """

    def __init__(
        self,
        build: Build,
        content_type: str,
        *,
        choices: int,
        wraps: frozenset[bytes],
        make_error: MakeError,
        order: OrderMode = "evidence",
    ) -> None:
        super().__init__(build, content_type, order)
        self._choices = choices
        self._wraps = bool(wraps)
        self._make_error = make_error
        self._done = False
        """``[DONE]`` came."""
        self._created: object = None
        self._extra: Mapping[str, str] = {}
        self._finish_reasons: dict[int, str] = {}
        self._seen: set[int] = set()
        """Choices for which anything except text of the first choice arrived."""
        self._empty_finish: set[int] = set()
        """Choices whose finish reason came with an empty delta."""
        self._content_at_finish = 0
        """The value of `content` at the latest finish reason."""
        self._identified = False
        """An event with the model's name was read, which also has the other fields that identify the answer."""
        self._ids_vary = False
        """Events of the same answer have different ids, so an id does not identify an answer."""
        self._foreign_id: str | None = None
        """The id of the latest content whose id differs from that of the answer."""
        self._token_numbers = TokenNumbers() if choices == 1 else None
        self._places = ToolPlaces()

    def decode_event(  # noqa: C901 - inline: this runs once per token and calls nothing for plain text
        self, name: bytes | None, data: bytes, event: Any
    ) -> Any:
        """Record what `completion_deltas` finds in an event. Return the event; ``None`` if the user gets nothing."""
        if type(event) is not dict:
            event = self._other_than_object(data, event)
            if type(event) is not dict:
                return None if event is None else self.sdk_event(name, event)
        absent = event.get("choices") is None
        if (event.get("error") or name == b"error" or absent) and self._is_error(name, event):
            return None
        if (event.get("id") != self.response_id or not self._identified) and not self._belongs(event):
            return None
        for choice in () if absent and event.get("usage") else event["choices"]:
            delta = choice.get("delta")
            text = delta.get("content") if delta else choice.get("text")  # `text`: a legacy completion
            if text:
                if type(text) is str:
                    self.content += 1
                    self.chars += len(text)
                    index = choice.get("index")
                    if not index or type(index) is not int:  # some gateways omit it
                        self.text.append(text)
                    else:
                        self._later_choice(index, text)
                else:
                    self._read_parts(text, choice.get("index"))
            for key in delta or ():
                if key not in _SILENT_KEYS:
                    self._other_content(delta, choice.get("index"))
                    break
            if choice.get("finish_reason") or "error" in choice:
                self._read_finish(choice)
        if event.get("usage"):
            self.read_usage(event)
        if "x_groq" in event:
            self._read_groq(object_of(event["x_groq"]))
        return event if name is None else self.sdk_event(name, event)

    def varying_fields(self, name: bytes | None, event: Any) -> dict[str, str | int] | None:
        if name is not None or not self._identified or event.get("id") != self.response_id:
            return None
        if event.get("error") or event.get("usage") or len(event.get("choices") or ()) != 1:
            return None
        (choice,) = event["choices"]
        delta, index = choice.get("delta"), choice.get("index")
        text = delta.get("content") if delta else choice.get("text")
        first = not index or type(index) is not int
        silent = not delta or delta.keys() <= _SILENT_KEYS
        if type(text) is not str or not text or not (first and silent):
            return None
        if choice.get("finish_reason") or "error" in choice:
            return None
        padding = event.get("obfuscation")
        fields: dict[str, str | int] = {"content" if delta else "text": text}
        return fields | {"obfuscation": padding} if type(padding) is str else fields

    def _other_than_object(self, data: bytes, event: Any) -> Any:
        """Read ``[DONE]``, or JSON that only the lenient parser accepts."""
        if data[:6] == b"[DONE]":
            self._done = True
            self.mark_finished()
            return None
        return self.decode(data) if event is None else event

    def sdk_event(self, name: bytes | None, event: Any) -> Any:
        wrapped = name is not None and self._wraps and self._resume_state is None
        return {"data": event, "event": name.decode("utf-8", "replace")} if wrapped and name is not None else event

    def apply(self, event: dict[str, Any]) -> None:
        self.decode_event(None, b"", event)

    def salvage(self, name: bytes | None, event: dict[str, Any]) -> None:
        for choice in objects_in(event.get("choices")):
            self._read_finish(choice)
        super().salvage(name, event)

    def _is_error(self, name: bytes | None, event: dict[str, Any]) -> bool:
        """Return True, and fail the attempt, if the event is an error in place of a chunk."""
        error = error_in(event) or (event if name == b"error" else None)
        if error is not None:
            self.fail(in_band_failure(error, event, self._make_error))
        return error is not None

    def _belongs(self, event: dict[str, Any]) -> bool:
        """Read the fields that identify the answer. Return False if the event belongs to another answer.

        Azure first sends an event without these fields; some servers give every event its own id.
        """
        event_id = text_of(event.get("id")) or None
        if not self._identified:
            self.model = text_of(event.get("model")) or self.model
            self._created = event.get("created")
            self._extra = _extra_of(event)
            self._identified = bool(self.model)
        if self.response_id is None or event_id is None or event_id == self.response_id:
            self.response_id = self.response_id or event_id
            return True
        if self._ids_vary or not _has_content(event):
            return True
        self._ids_vary = self.content < 2 or self._foreign_id not in (None, event_id)
        if self._foreign_id == event_id:  # the second event with this id, after at least two fragments with the first
            return self.disorder("content of another answer", proof=True)
        self._foreign_id = event_id
        self.note_anomaly("id_per_event")
        return True

    def read_usage(self, event: Mapping[str, Any]) -> None:
        """Read the token counts. Some servers send their service tier only in this event."""
        self.usage = object_of(event["usage"]) or self.usage
        self._extra = {**self._extra, **_extra_of(event)}

    def _read_groq(self, fields: Mapping[str, Any]) -> None:
        """Read Groq's field: the token counts, and why the stream stopped early."""
        if fields.get("usage"):
            self.read_usage(fields)
        error = fields.get("error")
        if error:
            code = code_of(error)
            raised = self._make_error(f"{_FAILED}: {code}" if code else _FAILED, error)
            self.fail(Failure(cause=cause_of_codes(error), message=_FAILED, code=code, error=raised, typed=True))

    def _later_choice(self, index: int, text: str) -> None:
        """Read text of a choice that is not the first."""
        if self._token_numbers is not None:
            fragments = self._token_numbers.add(index, text)
            if fragments:  # the index is the number of a token, so these fragments belong to the first choice
                self.resumable = False
                self._seen.clear()
                self.note_anomaly("index_counts_tokens")
                self.text += fragments
                return
        self._seen.add(index)

    def _other_content(self, delta: dict[str, Any], choice: object) -> None:
        index = place_of(choice) or 0
        self._seen.add(index)
        for key, value in delta.items():
            if key in _SILENT_KEYS or not value:
                continue
            self.resumable = False
            if type(value) is str:
                self.add_text(value)
            elif key == "tool_calls":
                for call in _tool_deltas(value, index):
                    self.add_tool_arguments(self._places.place_of(call), call.name, call.arguments)
                    self.add_text(call.arguments or call)
                if type(value) is list and type(value[0]) is dict and "custom" in value[0]:
                    self.called_free_text_tool = True
            elif key in ("function_call", "audio", "reasoning_details"):
                self.add_text(value)
            elif isinstance(value, list | dict):
                self.other = True  # for example images from a gateway

    def _read_parts(self, parts: object, index: object) -> None:
        """Read ``content`` that is a list of parts, as in Mistral's API. Such an answer cannot be resumed."""
        self.resumable = False
        self._seen.add(place_of(index) or 0)
        for part in items_in(parts) or (parts,):
            text = _part_text(part)
            if text is None:
                self.content += 1
            else:
                self.add_text(text, first_choice=not place_of(index))

    def _read_finish(self, choice: Mapping[str, Any]) -> None:
        """Read the finish reason of a choice, and the error that a router sends with the reason or instead of it."""
        reason, error = choice.get("finish_reason"), choice.get("error")
        if error or text_of(reason) in FAILURE_REASONS:
            codes = codes_in(error)
            raised = self._make_error(text_of(object_of(error).get("message")) or _FAILED, error)
            cause = cause_of_codes(*codes)
            self.fail(Failure(cause=cause, message=_FAILED, code=code_of(*codes), error=raised, typed=True))
        if not reason:
            return
        index = 0 if self._token_numbers is not None and self._token_numbers.found else place_of(choice.get("index"))
        self._finish_reasons[index or 0] = text_of(reason) or "error"
        self._content_at_finish = self.content
        if not _content_of(choice):
            self._empty_finish.add(index or 0)
        if choice.get("usage"):
            self.read_usage(choice)

    def event_text(self, event: Any) -> str | None:
        try:
            delta = event["choices"][0]["delta"]
            text = delta.get("content")
            return text if isinstance(text, str) else None
        except (KeyError, IndexError, TypeError, AttributeError):
            return None

    def with_text(self, event: Any, text: str) -> Any:
        event["choices"][0]["delta"]["content"] = text
        return event

    def ends(self, event: Any) -> bool:  # noqa: ARG002 - Azure's first event has no choices, like one with usage
        return bool(self._finish_reasons)

    def split_end(self, event: Any) -> Any:
        if not self.event_text(event):
            return None
        choice = event["choices"][0]
        delta = choice.get("delta") or {}
        other = {key: value for key, value in delta.items() if key not in _SILENT_KEYS}
        has_content = any(type(found) is not ReasoningDelta for found in _content_deltas(other, 0))
        if not choice.get("finish_reason") and not has_content:
            return None
        end = self.with_text(deepcopy(event), "")
        choice["finish_reason"] = None
        if event.get("usage"):
            event["usage"] = None
        for key in other:
            del delta[key]
        return end

    def event_deltas(self, event: Any) -> list[Delta]:
        return completion_deltas(event)

    def empty_text_event(self) -> Any:
        return {
            "id": self.response_id,
            "object": "chat.completion.chunk",
            "created": self._created,
            "model": self.model,
            "choices": [{"index": 0, "delta": {"content": ""}, "finish_reason": None}],
        }

    def with_first_ids(self, event: Any, resume_state: ResumeState) -> Any:
        if isinstance(event, dict):
            if resume_state.response_id is not None:
                event["id"] = resume_state.response_id
            event.update({name: value for name, value in resume_state.reader_state.items() if name in event})
        return event

    def reader_state(self) -> dict[str, Any]:
        return dict(self._resume_state.reader_state) if self._resume_state is not None else {"created": self._created}

    @property
    def _unfinished(self) -> bool:
        """True if a choice with content has no finish reason.

        If one choice was requested, the indices may be numbers of tokens. Then a finish reason is missing only if
        content came after the last finish reason.
        """
        seen = self._seen | {0} if self.text else self._seen
        without_reason = seen - self._finish_reasons.keys()
        return bool(without_reason) and (self._choices > 1 or self.content > self._content_at_finish)

    def incomplete_cause(self) -> Cause | None:
        if self._done and not self.events:
            return Cause.EMPTY
        if not self._done and (not self._finish_reasons or self._unfinished):
            return self.cause_without_end()
        if not self._finish_reasons:
            self.note_anomaly("done_without_finish_reason")
        elif not self.content and not self.other:
            self.note_anomaly("no_content")
        elif len(self._finish_reasons) < self._choices:
            self.note_anomaly("fewer_choices")
        return None

    @property
    def ended(self) -> bool:
        return bool(self._finish_reasons)

    def states_no_limit(self) -> bool:
        return CHAT.complete_reasons.issuperset(self._finish_reasons.values())

    def certainly_complete(self) -> bool:
        seen = self._seen | {0} if self.text else self._seen
        finished = bool(self._finish_reasons) and seen <= self._empty_finish and self.content == self._content_at_finish
        return self.incomplete_cause() is None and (self._done or finished)

    def finish(self) -> None:
        super().finish()
        if self._finish_reasons and self._unfinished and self._order != "off":
            message = "a choice began and did not finish, though another one did"
            self.fail(Failure(cause=Cause.TRUNCATED, message=message))

    def metadata(self) -> ResponseMetadata:
        choices = self._seen | self._finish_reasons.keys() | ({0} if self.text else set()) or {0}
        reasons = tuple(self._finish_reasons.get(index, "error") for index in sorted(choices))
        counts = counts_in(self.usage, USAGE)
        return metadata_of(
            CHAT, self.response_id, self.model, counts, reasons, self._extra, anomalies=tuple(self.anomalies)
        )


def _content_of(choice: Mapping[str, Any]) -> bool:
    """Return True if a choice of a chunk carries content."""
    delta = choice.get("delta")
    if isinstance(delta, Mapping):
        return any(value for key, value in delta.items() if key != "role")
    return bool(choice.get("text"))


def _has_content(event: Mapping[str, Any]) -> bool:
    """Return True if a chunk carries content or the end of a choice."""
    return any(_content_of(choice) or choice.get("finish_reason") for choice in objects_in(event.get("choices")))
