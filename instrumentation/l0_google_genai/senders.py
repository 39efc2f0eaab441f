"""Send the attempts of one call through google-genai, and read the answers."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from functools import partial
from math import inf
from time import perf_counter
from typing import Any

from l0.engine.commands import Command
from l0.model.ports import WireReader
from l0.runtime.async_deadlines import within
from l0.runtime.body_parser import BodyParser, ResumedWireParser, WireParser
from l0.runtime.call_runtime import CallRuntime
from l0.runtime.watchdog import Expired
from l0.wrapped_sdks.wrapped_bodies import AsyncWrappedBody, WrappedBody, WrappedSender

from .call_adapter import GoogleCallAdapter
from .json_body_parser import JsonBodyParser
from .streamed_response import StreamedResponse, exchange
from .unframed_json import UnframedJsonParser

_ENCODER = json.JSONEncoder()
"""As `json.dumps`, with one call less per chunk."""


class _Sender(WrappedSender):
    """The base of all senders. ``once``: the SDK's function that sends a request once. ``make_body``: the SDK's class
    of the responses from which it builds the user's objects."""

    adapter: GoogleCallAdapter

    def __init__(self, runtime: CallRuntime, once: Callable[..., Any], make_body: Callable[..., Any]) -> None:
        super().__init__(runtime)
        self._once = once
        self._make_body = make_body

    def _send(self, request: Any, *, stream: bool) -> Any:
        """Send a request. Each of its phases (connect, write, read) may take until its deadline. Return the answer."""
        own_timeout, seconds_left = request.timeout, self.runtime.send_by() - perf_counter()
        if seconds_left <= 0:
            raise Expired
        if seconds_left < inf:
            request.timeout = seconds_left if own_timeout is None else min(own_timeout, seconds_left)
        answer = self._once(request, stream=stream)
        if seconds_left < inf and stream:
            StreamedResponse(answer, request).restore_timeout(own_timeout)
        return answer

    async def _asend(self, request: Any, *, stream: bool) -> Any:
        send: Callable[[], Awaitable[Any]] = partial(self._once, request, stream=stream)
        return await within(self.runtime.send_by(), send)


class _GoogleAnswerSender(_Sender):
    """The base of the senders of calls that do not stream."""

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


class GoogleAnswerSender(_GoogleAnswerSender):
    """The sender for the sync driver."""

    def send(self, options: Any) -> Any:
        """Send one attempt. Return its answer."""
        self._request = options
        return self._send(options, stream=False)


class AsyncGoogleAnswerSender(_GoogleAnswerSender):
    """The sender for the async driver."""

    async def send(self, options: Any) -> Any:
        """As `GoogleAnswerSender.send`."""
        self._request = options
        return await self._asend(options, stream=False)


class _StreamBody(_Sender):
    """The base of the bodies of a streamed answer."""

    response: StreamedResponse

    def reader(self) -> WireReader:
        """As `WrappedBody.reader`."""
        headers, make_body, encode = self.response.sdk_response.headers, self._make_body, _ENCODER.encode

        def build(event: dict[str, Any]) -> Any:
            return make_body(headers=headers, body=encode(event))

        return self.adapter.reader(build, self.response.headers.get("content-type", ""))

    def first_parser(self, reader: WireReader) -> BodyParser:
        """As `WrappedBody.first_parser`."""
        json_body = self.response.headers.get("content-type", "").startswith("application/json")
        return JsonBodyParser(reader) if json_body else UnframedJsonParser(WireParser(reader))

    def resumed_parser(self, reader: WireReader) -> BodyParser:
        """As `WrappedBody.resumed_parser`."""
        return UnframedJsonParser(ResumedWireParser(reader))


class StreamBody(_StreamBody, WrappedBody):
    """The body for the sync driver."""

    def send(self, options: Any) -> StreamedResponse:
        """As `WrappedBody.send`."""
        return StreamedResponse(self._send(options, stream=True), options)


class AsyncStreamBody(_StreamBody, AsyncWrappedBody):
    """The body for the async driver."""

    async def send(self, options: Any) -> StreamedResponse:
        """As `WrappedBody.send`."""
        return StreamedResponse(await self._asend(options, stream=True), options)
