"""The body of one streamed answer, as the drivers read it.

Each attempt brings a new response, but the user holds one response object throughout: it is updated in place.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from typing import Any

from l0.engine.commands import Command
from l0.model.ports import WireReader
from l0.runtime.async_deadlines import until_closed
from l0.runtime.body_parser import BodyParser, DecodedEventParser, ObjectParser, ResumedWireParser, WireParser
from l0.runtime.call_runtime import CallRuntime
from l0.runtime.connection_use import ConnectionUse
from l0.runtime.watchdog import ReadDeadline
from l0.wire.request_id import request_id_of

from .sdk import StreamLoop
from .sdk_responses import adopt, areads, detach, observe_body, prove_reads, read_deadline, reads, share_reads
from .stainless_call_adapter import ReaderContext, StainlessCallAdapter

_DRAIN = 0.1
"""Seconds to wait for the end of a finished answer's body, so that its connection can be reused."""
_AS_SDK = StreamLoop(plain=True, names=None, wraps=frozenset(), typed=False, leaks=True)


class _SdkBody:
    """The common part of sync and async bodies.

    ``stream``: the SDK's stream object. ``own``: its unpatched ``__stream__``. ``send_again``: sends a request and
    returns the transport's response, or an awaitable of it.
    """

    def __init__(
        self,
        runtime: CallRuntime,
        call_adapter: StainlessCallAdapter,
        stream: Any,
        own: Callable[[], Any],
        *,
        send_again: Callable[[Any], Any],
    ) -> None:
        self.runtime = runtime
        self.call_adapter = call_adapter
        self.stream = stream
        self.answer = self.response = stream.response
        self._own = own
        self._send_again = send_again
        call_adapter.request = call_adapter.request_of(self.response)

    def _reader(self) -> tuple[WireReader, bool]:
        """Return a reader of the current attempt, and True if the attempt resumes an answer."""
        call_adapter, response = self.call_adapter, self.response
        reading = ReaderContext(
            inference=call_adapter.inference,
            loop=call_adapter.sdk.loop or _AS_SDK,
            build=call_adapter.builder(self.stream._cast_to, response),
            response=response,
            request=call_adapter.request,
            client=call_adapter.client,
            order=call_adapter.call.policy.order,
        )
        reader = call_adapter.provider.reader(reading)
        continuation = self.runtime.answer.continuation
        if continuation is not None:
            strategy, resume_state = continuation
            reader.resume(resume_state, strategy)
        return reader, continuation is not None

    def _parser(self, reader: WireReader, *, resumed: bool) -> BodyParser:
        if resumed:
            return ResumedWireParser(reader)
        return WireParser(reader, self.call_adapter.templates(self.stream._cast_to))

    def _has_plain_decoder(self) -> bool:
        return type(self.stream._decoder) is self.call_adapter.sdk.streaming.SSEDecoder

    def _detached(self) -> Any:
        """Detach the ended attempt: between two attempts, only the user may close. Return its stream, to be closed."""
        self.runtime.connection = ConnectionUse.USER
        return detach(self.response, self.call_adapter.sdk.transport_of(self.response), self.runtime)

    def attach(self, answer: Any) -> Command:
        """Move a new attempt into the response object that the user holds, and observe its end."""
        adopt(self.response, answer)
        transport = self.call_adapter.sdk.transport_of(self.response)
        observe_body(self.response, transport, self.runtime)
        self.stream._decoder = self.call_adapter.client._make_sse_decoder()
        self.call_adapter.request = self.call_adapter.request_of(self.response)
        return self.runtime.opened(self.response.status_code, request_id_of(self.response.headers))


class SdkBody(_SdkBody):
    """The body for the sync driver."""

    def start(self) -> tuple[Iterator[Any], BodyParser]:
        """Return the raw reads of the current attempt, and their parser. An unknown loop of the SDK stays in use."""
        # Keep a reference: otherwise the garbage collector closes the generator if reading ends in a finalizer.
        self._reads, parser = self._started()
        share_reads(self.response, self._reads)
        return self._reads, parser

    def _started(self) -> tuple[Iterator[Any], BodyParser]:
        reader, resumed = self._reader()
        if self.call_adapter.sdk.loop is None:
            return self._own(), ObjectParser(reader)
        if self._has_plain_decoder():
            return reads(self.response), self._parser(reader, resumed=resumed)
        parser = DecodedEventParser(reader, resumed=resumed)
        return self.stream._decoder.iter_bytes(reads(self.response)), parser

    def send(self, options: Any) -> Any:
        """Send the request again. Return the transport's response, at its headers."""
        fresh = self._send_again(self.call_adapter.without_wrapper_headers(options))
        if self.runtime.ending.stopped:  # by another thread, meanwhile
            fresh.close()
            self.runtime.halt()
        return fresh

    def read_deadline(self) -> ReadDeadline | None:
        """Return a deadline for reads of the current connection; ``None`` if nothing can end such a read."""
        return read_deadline(self.response)

    def close(self) -> None:
        """Close the connection. Between two attempts, leave the user a response that can still be closed."""
        if self.runtime.open:
            ended = self._detached()
            if ended is not None:
                ended.close()
            return
        self.runtime.connection = ConnectionUse.RELEASED
        self.response.close()


class AsyncSdkBody(_SdkBody):
    """The body for the async driver."""

    def start(self) -> tuple[AsyncIterator[Any], BodyParser]:
        """As `SdkBody.start`."""
        chunks, parser = self._started()
        share_reads(self.response, chunks)
        return chunks, parser

    def _started(self) -> tuple[AsyncIterator[Any], BodyParser]:
        reader, resumed = self._reader()
        if self.call_adapter.sdk.loop is None:
            return self._own(), ObjectParser(reader)
        if self._has_plain_decoder():
            return areads(self.response), self._parser(reader, resumed=resumed)
        parser = DecodedEventParser(reader, resumed=resumed)
        return self.stream._decoder.aiter_bytes(areads(self.response)), parser

    async def send(self, options: Any) -> Any:
        """As `SdkBody.send`."""
        fresh: Any = None
        with until_closed(self.runtime.ending):
            fresh = await self._send_again(self.call_adapter.without_wrapper_headers(options))
        if self.runtime.ending.stopped:  # by another task, meanwhile
            if fresh is not None:
                await fresh.aclose()
            self.runtime.halt()
        return fresh

    async def prepare(self) -> None:
        """Run the proof of direct reading if it has not run yet. In sync code `SdkBody.start` does that."""
        await prove_reads(self.response)

    async def drain(self, chunks: AsyncIterator[Any]) -> None:
        """Read the rest of a body after its complete answer, so that the connection can be reused."""
        if self.response.is_closed:
            return
        import anyio  # a dependency of both SDKs

        with suppress(Exception), anyio.move_on_after(_DRAIN):
            async for _ in chunks:
                pass

    async def close(self) -> None:
        """As `SdkBody.close`."""
        if self.runtime.open:
            ended = self._detached()
            if ended is not None:
                await ended.aclose()
            return
        self.runtime.connection = ConnectionUse.RELEASED
        await self.response.aclose()
