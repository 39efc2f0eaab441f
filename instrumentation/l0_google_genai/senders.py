"""Send the attempts of one call through google-genai, and read the answers."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from functools import partial
from math import inf
from time import perf_counter
from typing import Any

from l0.engine.commands import Command
from l0.runtime.async_deadlines import within
from l0.runtime.body_parser import BodyParser, ResumedWireParser, WireParser
from l0.runtime.call_runtime import CallRuntime
from l0.runtime.connection_use import ConnectionUse
from l0.runtime.watchdog import Expired, ReadDeadline
from l0.wire.request_id import request_id_of

from .call_adapter import GoogleCallAdapter
from .json_body_parser import JsonBodyParser
from .streamed_response import StreamedResponse, exchange

_ENCODER = json.JSONEncoder()
"""As `json.dumps`, with one call less per chunk."""


class _Sender:
    """The common part. ``once``: the SDK's function that sends a request once. ``make_body``: its class of a response,
    from which it builds the user's object."""

    def __init__(self, runtime: CallRuntime, once: Callable[..., Any], make_body: Callable[..., Any]) -> None:
        adapter = runtime.call_adapter
        assert isinstance(adapter, GoogleCallAdapter)
        self.runtime = runtime
        self.answer: Any = None
        self._adapter = adapter
        self._once = once
        self._make_body = make_body

    def _send(self, request: Any, *, stream: bool) -> Any:
        """Send a request, whose phases may each take as long as is left until its deadline. Return the answer."""
        own, left = request.timeout, self.runtime.send_by() - perf_counter()
        if left <= 0:
            raise Expired
        if left < inf:
            request.timeout = left if own is None else min(own, left)
        answer = self._once(request, stream=stream)
        if left < inf and stream:
            StreamedResponse(answer, request).restore_timeout(own)
        return answer

    async def _asend(self, request: Any, *, stream: bool) -> Any:
        send: Callable[[], Awaitable[Any]] = partial(self._once, request, stream=stream)
        return await within(self.runtime.send_by(), send)


class _WholeSender(_Sender):
    """The sender of a request whose answer comes in one piece."""

    _request: Any = None

    def attach(self, answer: Any) -> Command:
        """Serve the call from this answer."""
        text = answer.response_stream[0] if answer.response_stream else ""
        self.answer = self._make_body(headers=answer.headers, body=text)
        recording, number = self.runtime.recording, self.runtime.number
        if recording is not None:
            recording.head(number, exchange(self._request, answer))
            recording.read(number, text.encode())
            recording.body_ended(number, "eof")
        return self.runtime.answered(self.answer)


class WholeSender(_WholeSender):
    """The sender for the sync driver."""

    def send(self, options: Any) -> Any:
        """Send one attempt. Return its answer."""
        self._request = options
        return self._send(options, stream=False)


class AsyncWholeSender(_WholeSender):
    """The sender for the async driver."""

    async def send(self, options: Any) -> Any:
        """As `WholeSender.send`."""
        self._request = options
        return await self._asend(options, stream=False)


class _StreamBody(_Sender):
    """The body of a streamed answer, over all attempts."""

    answer: StreamedResponse

    def attach(self, answer: StreamedResponse) -> Command:
        """Serve the attempt from this response."""
        self.answer = self._adapter.response = answer
        if self.runtime.recording is not None:
            self.runtime.recording.head(self.runtime.number, answer.recorded)
        return self.runtime.opened(answer.status, request_id_of(answer.headers))

    def _parser(self) -> BodyParser:
        headers, make_body, encode = self.answer.answer.headers, self._make_body, _ENCODER.encode

        def build(event: dict[str, Any]) -> Any:
            return make_body(headers=headers, body=encode(event))

        content_type = self.answer.headers.get("content-type", "")
        reader, continuation = self._adapter.reader(build, content_type), self.runtime.continuation
        if continuation is None:
            return JsonBodyParser(reader) if content_type.startswith("application/json") else WireParser(reader)
        strategy, resume_state = continuation
        reader.resume(resume_state, strategy)
        return ResumedWireParser(reader)

    def _closes(self) -> StreamedResponse | None:
        """Return the response to close; ``None`` if it is closed. A call that is over releases its connection."""
        if not self.runtime.open:
            self.runtime.connection = ConnectionUse.RELEASED
        return self._adapter.response  # type: ignore[no-any-return]  # of this SDK


class StreamBody(_StreamBody):
    """The body for the sync driver."""

    def send(self, options: Any) -> StreamedResponse:
        """Send one attempt. Return its response, at its headers."""
        return StreamedResponse(self._send(options, stream=True), options)

    def start(self) -> tuple[Iterator[bytes], BodyParser]:
        """Return the raw reads of the current attempt, and their parser."""
        reads, recording = self.answer.reads(), self.runtime.recording
        if recording is not None:
            reads = recording.body(self.runtime.number, reads, 0)
        return reads, self._parser()

    def read_deadline(self) -> ReadDeadline | None:
        """Return a deadline for reads of the current connection; ``None`` if nothing can end such a read."""
        return self.answer.read_deadline()

    def close(self) -> None:
        """Close the connection of the attempt."""
        response = self._closes()
        if response is not None:
            response.close()


class AsyncStreamBody(_StreamBody):
    """The body for the async driver."""

    async def send(self, options: Any) -> StreamedResponse:
        """As `StreamBody.send`."""
        return StreamedResponse(await self._asend(options, stream=True), options)

    def start(self) -> tuple[AsyncIterator[bytes], BodyParser]:
        """As `StreamBody.start`."""
        reads, recording = self.answer.areads(), self.runtime.recording
        if recording is not None:
            reads = recording.abody(self.runtime.number, reads, 0)
        return reads, self._parser()

    async def prepare(self) -> None:
        """Do nothing: these bodies are read through their transport."""

    async def drain(self, chunks: AsyncIterator[bytes]) -> None:
        """Do nothing: this dialect has no terminal event, so a complete answer was read to the end of its body."""

    async def close(self) -> None:
        """As `StreamBody.close`."""
        response = self._closes()
        if response is not None:
            await response.aclose()
