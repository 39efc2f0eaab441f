"""What the readers of all dialects share. A dialect adds what its events mean."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from l0.model.call_events import ResponseMetadata
from l0.model.failure import Cause, Failure
from l0.model.ports import Build, ToolCallText
from l0.model.tolerant_reading import object_of, unread
from l0.wire.json_decode import loads, parse


class BaseReader(ABC):
    """Reads one attempt. Subclasses implement `apply`, which looks at one decoded event, and `missing`.

    `apply` may raise for a shape that it does not expect: whoever calls it fences it, and calls `salvage` then.

    ``build`` makes the SDK's object; ``content_type`` is that of the response.
    """

    def __init__(self, build: Build, content_type: str) -> None:
        self.build = build
        self.content = 0
        self.chars = 0
        self.text: list[str] = []
        self.tools: dict[Any, ToolCallText] = {}
        self.other = False
        self.accepted = False
        self.finished = False
        self.stopped = False
        self.failure: Failure | None = None
        self.events = 0
        self.anomalies: dict[str, None] = {}
        self.response_id: str | None = None
        self.model: str | None = None
        self.usage: Mapping[str, Any] = {}
        self.resumable = True
        self._event_stream = not content_type or content_type.lower().startswith("text/event-stream")

    def decode(self, data: bytes) -> Any:
        """The JSON of one event, or ``None`` for one that carries nothing; sets `failure` where it is malformed."""
        try:
            value = parse(data)
        except ValueError:
            value = self._leniently(data)
        if value is None and self.failure is None:
            self.anomaly("null_event" if data else "event_without_data")
        return value

    def _leniently(self, data: bytes) -> Any:
        """What the fast parser refuses, the standard library judges."""
        if not data:
            return None
        try:
            return loads(data)
        except (ValueError, RecursionError) as error:
            self.fail(Failure(cause=Cause.MALFORMED, message="an event is not valid JSON", error=error))
            return None

    def construct(self, value: Any) -> Any:
        """The SDK's object; sets `failure` where the SDK's own validation refuses it."""
        try:
            return self.build(value)
        except Exception as error:
            self.fail(Failure(cause=Cause.MALFORMED, message="an event is not of the expected shape", error=error))
            return None

    def mark_finished(self) -> None:
        """The terminal event was read."""
        self.finished = self.stopped = True

    def fail(self, failure: Failure) -> None:
        """The attempt is broken; the first failure counts. One that is an event of its own does not end the reading."""
        if self.failure is None:
            self.failure = failure
            self.stopped = self.stopped or not failure.typed

    def anomaly(self, what: str) -> None:
        """Note something odd that is accepted. ``what`` is from a bounded set."""
        self.anomalies[what] = None

    def add_text(self, piece: object, *, answer: bool = False) -> None:
        """A piece of content arrived; ``answer``: it is text of the first choice."""
        if not piece:
            return
        self.content += 1
        if type(piece) is str:
            self.chars += len(piece)
            if answer:
                self.text.append(piece)

    def add_tool_arguments(self, place: object, name: object, piece: object) -> None:
        """A piece of a tool call's arguments arrived, or its name, or both."""
        call = self.tools.get(place)
        if call is None:
            call = self.tools[place] = ToolCallText("")
        if type(name) is str and name:
            call.name = name
        if type(piece) is str:
            call.arguments.append(piece)

    def missing_end(self) -> Cause:
        """What is missing of an answer that ended without its terminal event."""
        if not self.events and not self._event_stream:
            return Cause.NOT_A_STREAM
        return Cause.TRUNCATED if self.content else Cause.EMPTY

    def observe_object(self, item: Any) -> None:
        """Learn from an object that the SDK built."""
        dump: Callable[..., dict[str, Any]] | None = getattr(item, "to_dict", None)
        if dump is None:
            return
        self.events += 1
        event: dict[str, Any] = {}
        try:
            event = dump(mode="python", warnings=False)
            self.apply(event)
        except Exception:
            self.unlearnt(None, event)

    def unlearnt(self, name: bytes | None, event: Any) -> None:
        """Make the best of an event that `apply` could not read. To be called where the exception is caught."""
        unread("an event of a stream")
        self.anomaly("unknown_shape")
        if type(event) is dict:
            with suppress(Exception):
                self.salvage(name, event)

    @abstractmethod
    def apply(self, event: dict[str, Any]) -> None:
        """Learn what one event says. May raise on odd shapes; then nothing that `salvage` reads was learnt twice."""

    def salvage(self, name: bytes | None, event: dict[str, Any]) -> None:  # noqa: ARG002
        """Learn what an event still says of which `apply` could not read a part: above all, that the answer ends."""
        self.usage = object_of(event.get("usage")) or self.usage

    @abstractmethod
    def missing(self) -> Cause | None:
        """As `Reader.missing`."""

    def metadata(self) -> ResponseMetadata:
        """What the provider said; dialects add their usage."""
        return ResponseMetadata(response_id=self.response_id, model=self.model, anomalies=tuple(self.anomalies))
