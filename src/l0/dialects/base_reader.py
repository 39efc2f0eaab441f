"""The base of the wire readers of all dialects. A dialect adds the meaning of its events."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import suppress
from itertools import islice
from typing import Any

from l0.model.call_events import ResponseMetadata
from l0.model.failure import Cause, Failure
from l0.model.policy import OrderMode
from l0.model.ports import Build, ToolCallText
from l0.model.tolerant_reading import log_unread, object_of
from l0.wire.json_decode import loads, parse

from .tool_arguments import breaks_off


class BaseReader(ABC):
    """Reads one attempt. Subclasses implement `apply`, which reads one decoded event, and `incomplete_cause`.

    `apply` may raise for an unexpected shape: its caller catches the exception and calls `record_unreadable`.

    ``build``: builds the SDK's object. ``content_type``: that of the response. ``order``: `Policy.order`.
    `l0.model.ports.Reader` describes the attributes that are not described here.
    """

    def __init__(self, build: Build, content_type: str, order: OrderMode = "evidence") -> None:
        self.build = build
        self._order = order
        self.content = 0
        self.chars = 0
        self.text: list[str] = []
        self.tools: dict[Any, ToolCallText] = {}
        self.called_free_text_tool = False
        """The model called a tool whose input is free text, not JSON."""
        self.abandoned_tool_calls = 0
        """The provider abandoned this many tool calls, the first of `tools`, when another model continued the
        answer."""
        self.other = False
        self.accepted = False
        self.finished = False
        self.stopped = False
        self.failure: Failure | None = None
        self.events = 0
        """The number of events read."""
        self.anomalies: dict[str, None] = {}
        """The names of the anomalies, each once, in the order in which they were noted."""
        self.disordered = False
        self.has_unread_event = False
        """An event could not be read. Its text is missing in the deltas, so a final text that differs from them proves
        nothing."""
        self.response_id: str | None = None
        self.model: str | None = None
        self.usage: Mapping[str, Any] = {}
        self.resumable = True
        self._event_stream = not content_type or content_type.lower().startswith("text/event-stream")

    def decode(self, data: bytes) -> Any:
        """Return the JSON of one event, or ``None`` if it carries nothing; set `failure` if it is malformed."""
        try:
            value = parse(data)
        except ValueError:
            value = self._decode_leniently(data)
        if value is None and self.failure is None:
            self.note_anomaly("null_event" if data else "event_without_data")
        return value

    def _decode_leniently(self, data: bytes) -> Any:
        """Parse with the standard library, which accepts more than the fast parser."""
        if not data:
            return None
        try:
            return loads(data)
        except (ValueError, RecursionError) as error:
            self.fail(Failure(cause=Cause.MALFORMED, message="an event is not valid JSON", error=error))
            return None

    def construct(self, value: Any) -> Any:
        """Return the SDK's object; set `failure` if the SDK's own validation rejects the event."""
        try:
            return self.build(value)
        except Exception as error:
            return self.malformed(error)

    def malformed(self, error: Exception) -> None:
        """Fail the attempt because the SDK's own validation rejected an event."""
        self.fail(Failure(cause=Cause.MALFORMED, message="an event is not of the expected shape", error=error))

    def mark_finished(self) -> None:
        """Record that the terminal event was read."""
        self.finished = self.stopped = True

    def fail(self, failure: Failure) -> None:
        """Record the first failure of the attempt, and stop reading. After a failure that the SDK delivers as an event
        (`Failure.typed`), reading continues."""
        if self.failure is None:
            self.failure = failure
            self.stopped = self.stopped or not failure.typed

    def note_anomaly(self, name: str) -> None:
        """Record an anomaly, once per attempt. ``name`` is from a bounded set."""
        self.anomalies[name] = None

    def disorder(self, message: str, *, proof: bool = False, anomaly: str = "out_of_order") -> bool:
        """Record an event out of order: fail the attempt, or note an anomaly. Return True if the caller should still
        record the content of the event.

        ``proof``: this disorder proves that the answer is wrong; with ``order="evidence"``, only such a disorder fails.
        """
        self.disordered = True
        fails = self._order == "strict" or (proof and self._order == "evidence")
        # The text can be resumed only if the attempt ends here, before the event, and nothing proves the text wrong.
        self.resumable = self.resumable and fails and not proof
        if fails:
            self.fail(Failure(cause=Cause.OUT_OF_ORDER, message=message))
            return False
        self.note_anomaly(anomaly)
        return True

    def add_text(self, fragment: object, *, first_choice: bool = False) -> None:
        """Record a fragment of content. ``first_choice``: the fragment is text of the first choice."""
        if not fragment:
            return
        self.content += 1
        if type(fragment) is str:
            self.chars += len(fragment)
            if first_choice:
                self.text.append(fragment)

    def add_tool_arguments(self, place: object, name: object, fragment: object) -> None:
        """Record a fragment of a tool call's arguments, its name, or both. ``place`` is the call's key in `tools`."""
        call = self.tools.get(place)
        if call is None:
            call = self.tools[place] = ToolCallText("")
        if type(name) is str and name:
            call.name = name
        if type(fragment) is str:
            call.arguments.append(fragment)

    def check_tool_arguments(self) -> None:
        """Fail if the arguments of a tool call break off. Call this unless a limit or a filter may have cut them.

        After a disorder or an unreadable event, fragments may be missing or belong to another call, so arguments that
        break off prove nothing.
        """
        if self._order == "off" or self.disordered or self.has_unread_event or self.called_free_text_tool:
            return
        calls = islice(self.tools.values(), self.abandoned_tool_calls, None)
        if any(breaks_off("".join(call.arguments)) for call in calls):
            message = "the arguments of a tool call break off, though the answer states no limit"
            self.fail(Failure(cause=Cause.TRUNCATED, message=message))

    def cause_without_end(self) -> Cause:
        """Return the cause of the failure if an answer ends without its terminal event."""
        if not self.events and not self._event_stream:
            return Cause.NOT_A_STREAM
        # An event that could not be read may have had content: only its end is missing for certain.
        unread = self.events and self.has_unread_event
        return Cause.TRUNCATED if self.content or unread else Cause.EMPTY

    def varying_fields(self, name: bytes | None, event: Any) -> dict[str, str | int] | None:  # noqa: ARG002
        """As `l0.model.ports.WireReader.varying_fields`."""
        return None

    def next_repeat(self, event: Any) -> int | None:  # noqa: ARG002
        """As `l0.model.ports.WireReader.next_repeat`."""
        return 0

    def repeated(self, event: Any, count: int, data: bytes) -> None:  # noqa: B027 - only some dialects need it
        """As `l0.model.ports.WireReader.repeated`."""

    def observe_object(self, item: Any) -> None:
        """Read an object that the SDK built, if L0 leaves the SDK's own loop over the stream in place."""
        dump: Callable[..., dict[str, Any]] | None = getattr(item, "to_dict", None)
        if dump is None:
            return
        self.events += 1
        event: dict[str, Any] = {}
        try:
            event = dump(mode="python", warnings=False)
            self.apply(event)
        except Exception:
            self.record_unreadable(None, event)

    def record_unreadable(self, name: bytes | None, event: Any) -> None:
        """Read as much as possible of an event for which `apply` raised. Call this in the ``except`` block."""
        log_unread("an event of a stream")
        self.note_anomaly("unknown_shape")
        self.has_unread_event = True
        if type(event) is dict:
            with suppress(Exception):
                self.salvage(name, event)

    @abstractmethod
    def apply(self, event: dict[str, Any]) -> None:
        """Record one event. An exception for an unexpected shape must come before the recording of anything that
        `salvage` also records."""

    def salvage(self, name: bytes | None, event: dict[str, Any]) -> None:  # noqa: ARG002
        """Record what can still be read of an event for which `apply` raised: the usage, and in some dialects the end
        of the answer."""
        self.usage = object_of(event.get("usage")) or self.usage

    @abstractmethod
    def incomplete_cause(self) -> Cause | None:
        """As `l0.model.ports.Reader.incomplete_cause`."""

    def certainly_complete(self) -> bool:
        """As `l0.model.ports.Reader.certainly_complete`."""
        return self.incomplete_cause() is None

    def metadata(self) -> ResponseMetadata:
        """Return the metadata of the answer. Dialects add finish reasons and token counts."""
        return ResponseMetadata(response_id=self.response_id, model=self.model, anomalies=tuple(self.anomalies))
