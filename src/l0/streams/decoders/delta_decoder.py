"""Turn the deltas of any dialect into events of the explicit API."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from l0.dialects import deltas
from l0.dialects.answer_fold import AnswerFold
from l0.dialects.deltas import Delta, ToolCallDelta
from l0.dialects.payload import audio_payload, payloads_in, preview_payload
from l0.dialects.token_numbers import TokenNumbers
from l0.dialects.wire_dialect import WireDialect
from l0.model.call_events import ResponseMetadata

from ..stream_events import Event, EventType, ToolCall


class DeltaDecoder:
    """A decoder of an SDK's objects. It emits the first choice of an answer, and each tool call once it is complete.

    If this decoder raises for an item, the item is skipped and logged. (If a user's decoder raises, the attempt fails.)
    """

    def __init__(self, dialect: WireDialect) -> None:
        self._deltas = dialect.deltas
        self._refusal: list[str] = []
        self._item_started = self._streams = False
        self._complete_texts: list[str] = []
        self._token_numbers: TokenNumbers | None = None
        self.fold = AnswerFold(dialect)

    @property
    def has_pending(self) -> bool:
        """True if content such as a tool call or a refusal has begun and is not complete; see `Decoder.has_pending`."""
        return self._item_started or bool(self._refusal) or any(not one.choice for one in self.fold.open_calls.values())

    def decode(self, item: Any) -> list[Event]:
        """Return the events of one item, as `Decoder.decode`. Nothing that follows an error in the item is read."""
        events: list[Event] = []
        for delta in self._deltas(item):
            self.fold.add(delta)
            if self.fold.calls:
                events += [tool_call(call) for call in self.fold.calls if call.choice == 0]
                self.fold.calls.clear()
            self._add(delta, events)
            if type(delta) is deltas.AnswerError:
                break
        return events

    def _add(self, delta: Delta, events: list[Event]) -> None:
        match delta:
            case deltas.TextDelta(text=text, choice=0, complete=complete):
                if not complete:
                    self._streams = True
                elif self._streams or text in self._complete_texts:
                    return
                else:  # a server that does not stream: the text comes with the end, and perhaps more than once
                    self._complete_texts.append(text)
                events.append(Event(EventType.TOKEN, text))
            case deltas.TextDelta(text=text, choice=number) if self._token_numbers is not None:
                events += [Event(EventType.TOKEN, one) for one in self._token_numbers.add(number, text)]
            case deltas.ReasoningDelta(text=text, choice=0):
                events.append(Event(EventType.REASONING, text))
            case deltas.RefusalDelta(text=text, choice=0, complete=complete):
                if complete:
                    events.append(Event(EventType.MESSAGE, text))
                else:
                    self._refusal.append(text)
            case deltas.CompleteItem() | deltas.AudioDelta() | deltas.ImagePreview() | deltas.FileCitation():
                events += _data_events(delta)
            case deltas.FinishDelta(choice=0) if self._refusal:
                events.append(Event(EventType.MESSAGE, "".join(self._refusal)))
                self._refusal.clear()
            case deltas.ItemStart():  # nothing shows the end of such an item: it stays pending
                self._item_started = True
            case deltas.AnswerError(message=message, code=code):
                events.append(Event(EventType.ERROR, message, code))
            case _:
                pass

    def expect_one_choice(self) -> None:
        """Expect one choice: then indices above 0 may be token numbers, see `TokenNumbers`."""
        self._token_numbers = TokenNumbers()

    def certainly_complete(self) -> bool:
        """Return True if the items prove that the answer is complete, even if the source raised after them."""
        return self.fold.certainly_complete()

    def breaks_off(self) -> bool:
        """Return True if the items prove that the answer is broken, though it states that it is complete."""
        return self.fold.breaks_off

    def is_complete(self) -> bool:
        """Return True if the items prove that the answer is complete, as `Decoder.is_complete`."""
        return self.fold.complete()

    def metadata(self) -> ResponseMetadata:
        """Return the provider's metadata, as `Decoder.metadata`."""
        return self.fold.metadata()


def _data_events(delta: Delta) -> Iterator[Event]:
    """Yield the item of a delta, unless it is a payload itself, and each payload in it."""
    match delta:
        case deltas.AudioDelta(value=value, data=data, transcript=transcript, choice=0, index=index):
            yield Event(EventType.DATA, transcript, audio_payload(value, data, index))
        case deltas.ImagePreview(value=value, index=index, number=number):
            yield Event(EventType.DATA, "", preview_payload(value, index, number))
        case deltas.CompleteItem(value=value, choice=0, index=index) | deltas.FileCitation(value=value, index=index):
            payloads = payloads_in(value, index)
            if not any(one.item is value for one in payloads):
                yield Event(EventType.DATA, "", value)
            for one in payloads:
                yield Event(EventType.DATA, "", one)


def tool_call(call: ToolCallDelta) -> Event:
    """Return the event of a complete tool call. Its arguments are neither repaired nor completed."""
    try:
        arguments = json.loads(call.arguments) if call.arguments else {}
    except (ValueError, RecursionError):
        arguments = None
    return Event(EventType.TOOL_CALL, "", ToolCall(id=call.id, name=call.name, arguments=arguments, raw=call.arguments))
