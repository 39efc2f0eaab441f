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
    """The common part. ``call``: botocore's function that calls an operation."""

    adapter: BedrockCallAdapter

    def __init__(self, runtime: CallRuntime, call: Callable[..., Any]) -> None:
        super().__init__(runtime)
        self._call = call

    def _send(self, parameters: dict[str, Any]) -> Any:
        """Send a request once. Each of its reads may take as long as is left until its deadline."""
        left = self.runtime.send_by() - perf_counter()
        if left <= 0:
            raise Expired
        with self.adapter.attempt(None if left == inf else left).current():
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
    """The body of a streamed answer. Its items are botocore's messages. ``frames``: botocore's module of these."""

    answer: EventResponse

    def __init__(self, runtime: CallRuntime, call: Callable[..., Any], frames: Any) -> None:
        super().__init__(runtime, call)
        self._frames = frames
        self._codec: EventCodec

    def send(self, options: dict[str, Any]) -> EventResponse:
        """As `WrappedBody.send`."""
        answer = EventResponse(self._send(options), STREAMS[self.adapter.operation])
        answer.restore_timeout(self.adapter.read_timeout)
        return answer

    def start(self) -> tuple[Iterator[bytes], BodyParser]:
        """As `WrappedBody.start`. A recording holds no frames: nothing that reads recordings knows them."""
        return self.answer.reads(), self.parser()

    def reader(self) -> WireReader:
        """As `WrappedBody.reader`."""
        made = ChunkCodec if self.adapter.operation == INVOKE_STREAM else EventCodec
        self._codec = made(self._frames.EventStreamMessage)
        content_type = self.answer.headers.get("content-type", "")
        return self.adapter.reader(self._codec.build, "" if content_type == CONTENT_TYPE else content_type)

    def first_parser(self, reader: WireReader) -> BodyParser:
        """As `WrappedBody.first_parser`."""
        assert isinstance(reader, ResumableReader)
        frames = self._frames
        return EventParser(
            reader, self._codec, frames.EventStreamBuffer(), frames.ParserError, self.adapter.exception_in
        )

    def resumed_parser(self, reader: WireReader) -> BodyParser:
        """As `WrappedBody.resumed_parser`."""
        self._codec.unchanged = False
        return self.first_parser(reader)
