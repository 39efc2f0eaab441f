"""The body of one streamed answer, over all attempts. A provider's subclass sends the requests and builds the items."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from time import perf_counter
from typing import Any

from l0.engine.commands import Command
from l0.model.ports import WireReader
from l0.runtime.async_deadlines import within
from l0.runtime.body_parser import BodyParser, ResumedWireParser, WireParser
from l0.runtime.call_runtime import CallRuntime
from l0.runtime.connection_use import ConnectionUse
from l0.runtime.watchdog import ReadDeadline
from l0.wire.request_id import request_id_of

from .httpx_response import HttpxResponse
from .wrapped_call_adapter import WrappedCallAdapter

_DRAIN = 0.1
"""Seconds to wait for the end of a complete answer's body, so that its connection can be reused."""


class WrappedSender:
    """The sender of the attempts of one call, streamed or not. ``adapter``: the call adapter."""

    adapter: Any

    def __init__(self, runtime: CallRuntime) -> None:
        assert isinstance(runtime.call_adapter, WrappedCallAdapter)
        self.runtime = runtime
        self.adapter = runtime.call_adapter
        self.answer: Any = None
        """The result of the driver for an answered call."""


class _WrappedBody(WrappedSender, ABC):
    """The common part of sync and async bodies."""

    response: Any
    """The response to the current attempt: an `HttpxResponse` of the provider's own class."""

    @abstractmethod
    def reader(self) -> WireReader:
        """Return a reader that turns the events of the current attempt into items."""

    def attach(self, answer: HttpxResponse) -> Command:
        """Serve the attempt from this response."""
        self.answer = self.response = self.adapter.response = answer
        if self.runtime.recording is not None:
            self.runtime.recording.head(self.runtime.number, answer.recorded)
        return self.runtime.opened(answer.status, request_id_of(answer.headers))

    def parser(self) -> BodyParser:
        """Return the parser of the current attempt's reads."""
        reader, continuation = self.reader(), self.runtime.answer.continuation
        if continuation is None:
            return self.first_parser(reader)
        strategy, resume_state = continuation
        reader.resume(resume_state, strategy)
        return self.resumed_parser(reader)

    def first_parser(self, reader: WireReader) -> BodyParser:
        """Return the parser of an attempt that resumes nothing."""
        return WireParser(reader)

    def resumed_parser(self, reader: WireReader) -> BodyParser:
        """Return the parser of an attempt that resumes a broken answer."""
        return ResumedWireParser(reader)

    def response_to_close(self) -> HttpxResponse | None:
        """Return the response of the attempt; ``None`` if none has arrived. If the call is over, record that its
        connection is released."""
        if not self.runtime.open:
            self.runtime.connection = ConnectionUse.RELEASED
        return self.adapter.response  # type: ignore[no-any-return]  # `attach` set it


class WrappedBody(_WrappedBody):
    """The body for the sync driver."""

    @abstractmethod
    def send(self, options: Any) -> HttpxResponse:
        """Send one attempt. Return its response, at its headers."""

    def start(self) -> tuple[Iterator[bytes], BodyParser]:
        """Return the raw reads of the current attempt, and their parser."""
        reads, recording = self.response.reads(), self.runtime.recording
        if recording is not None:
            reads = recording.body(self.runtime.number, reads, known=0)
        return reads, self.parser()

    def read_deadline(self) -> ReadDeadline | None:
        """Return a deadline for reads of the current connection; ``None`` if nothing can end a blocked read."""
        deadline: ReadDeadline | None = self.response.read_deadline()
        return deadline

    def close(self) -> None:
        """Close the connection of the attempt."""
        response = self.response_to_close()
        if response is not None:
            response.close()


class AsyncWrappedBody(_WrappedBody):
    """The body for the async driver."""

    @abstractmethod
    async def send(self, options: Any) -> HttpxResponse:
        """As `WrappedBody.send`."""

    def start(self) -> tuple[AsyncIterator[bytes], BodyParser]:
        """As `WrappedBody.start`."""
        reads, recording = self.response.areads(), self.runtime.recording
        if recording is not None:
            reads = recording.abody(self.runtime.number, reads, known=0)
        return reads, self.parser()

    async def prepare(self) -> None:
        """Do nothing: these bodies are read through their transport, so there is no connection to prepare."""

    async def drain(self, chunks: AsyncIterator[bytes]) -> None:
        """Read the rest of a body after its complete answer, so that the connection can be reused."""

        async def rest() -> None:
            async for _ in chunks:
                pass

        with suppress(Exception):
            await within(perf_counter() + _DRAIN, rest)

    async def close(self) -> None:
        """As `WrappedBody.close`."""
        response = self.response_to_close()
        if response is not None:
            await response.aclose()
