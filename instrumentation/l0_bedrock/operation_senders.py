"""Send the attempts of one call through botocore, and read the answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import inf
from time import perf_counter
from typing import Any

from l0.dialects.resumable_reader import ResumableReader
from l0.engine.commands import Command
from l0.model.ports import WireReader
from l0.runtime.body_parser import BodyParser
from l0.runtime.call_runtime import CallRuntime
from l0.runtime.watchdog import Expired
from l0.wire.event_stream import CONTENT_TYPE
from l0.wrapped_sdks.wrapped_bodies import WrappedBody, WrappedSender

from .bedrock_call_adapter import BedrockCallAdapter
from .describe import INVOKE_STREAM, STREAMS
from .event_codecs import ChunkCodec, EventCodec
from .event_parser import EventParser
from .event_response import EventResponse


class _Sender(WrappedSender):
    """The base of both senders. ``call``: botocore's function that calls an operation."""

    adapter: BedrockCallAdapter

    def __init__(self, runtime: CallRuntime, call: Callable[..., Any]) -> None:
        super().__init__(runtime)
        self._call = call

    def _send(self, parameters: dict[str, Any]) -> Any:
        """Send a request once. Each read of its head may take until the deadline for the headers."""
        seconds_left = self.runtime.send_by() - perf_counter()
        if seconds_left <= 0:
            raise Expired
        with self.adapter.attempt(None if seconds_left == inf else seconds_left).current():
            return self._call(self.adapter.operation, parameters)


class CompleteAnswerSender(_Sender):
    """The sender of a request whose answer comes in one piece."""

    def send(self, options: dict[str, Any]) -> Any:
        """Send one attempt. Return its response."""
        return self._send(options)

    def attach(self, answer: Any) -> Command:
        """Serve the call from this response."""
        self.answer = answer
        return self.runtime.answered(answer)


class EventStreamBody(_Sender, WrappedBody):
    """The body of a streamed answer. Its items are botocore's messages. ``eventstream``: the module
    `botocore.eventstream`."""

    response: EventResponse

    def __init__(self, runtime: CallRuntime, call: Callable[..., Any], eventstream: Any) -> None:
        super().__init__(runtime, call)
        self._eventstream = eventstream
        self._codec: EventCodec

    def send(self, options: dict[str, Any]) -> EventResponse:
        """As `WrappedBody.send`."""
        answer = EventResponse(self._send(options), STREAMS[self.adapter.operation])
        answer.restore_timeout(self.adapter.read_timeout)
        return answer

    def start(self) -> tuple[Iterator[bytes], BodyParser]:
        """As `WrappedBody.start`, without a recording of the body: no reader of recordings can parse these frames."""
        return self.response.reads(), self.parser()

    def reader(self) -> WireReader:
        """As `WrappedBody.reader`."""
        make_codec = ChunkCodec if self.adapter.operation == INVOKE_STREAM else EventCodec
        self._codec = make_codec(self._eventstream.EventStreamMessage)
        content_type = self.response.headers.get("content-type", "")
        return self.adapter.reader(self._codec.build, "" if content_type == CONTENT_TYPE else content_type)

    def first_parser(self, reader: WireReader) -> BodyParser:
        """As `WrappedBody.first_parser`."""
        assert isinstance(reader, ResumableReader)
        module = self._eventstream
        return EventParser(
            reader, self._codec, module.EventStreamBuffer(), module.ParserError, self.adapter.exception_in
        )

    def resumed_parser(self, reader: WireReader) -> BodyParser:
        """As `WrappedBody.resumed_parser`."""
        self._codec.unchanged = False
        return self.first_parser(reader)
