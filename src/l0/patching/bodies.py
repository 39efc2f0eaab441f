"""The body of one streamed answer, as the drivers read it: whichever attempt is serving it, the user's response object
stays the same."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import suppress
from typing import Any

from l0.drivers.pump import DecodedPump, ObjectPump, Pump, ResumedPump, WirePump
from l0.drivers.session import Session
from l0.drivers.timers import until_closed
from l0.drivers.watchdog import Watch
from l0.values.ports import WireReader

from .responses import adopt, areads, part_with, reads, tap, watch
from .sdk import Loop
from .upstream import Reading, StainlessUpstream

_DRAIN = 0.1
"""Seconds that a finished answer's body may take to end, so that its connection can be used again."""
_AS_SDK = Loop(plain=True, names=None, wraps=frozenset(), typed=False, leaks=True)


class _Body:
    """What both flavours share. ``stream`` is the SDK's stream object; ``own`` its unpatched ``__stream__``."""

    def __init__(self, session: Session, upstream: StainlessUpstream, stream: Any, own: Callable[[], Any]) -> None:
        self.session = session
        self.upstream = upstream
        self.stream = stream
        self.response = stream.response
        self._own = own
        upstream.request = upstream.request_of(self.response)

    def _reader(self) -> WireReader:
        upstream, response = self.upstream, self.response
        reading = Reading(
            sketch=upstream.sketch,
            loop=upstream.sdk.loop or _AS_SDK,
            build=upstream.builder(self.stream._cast_to, response),
            response=response,
            request=upstream.request,
            client=upstream.client,
        )
        reader = upstream.provider.reader(reading)
        taken_up = self.session.continuation
        if taken_up is not None:
            strategy, earlier = taken_up
            reader.take_up(earlier, strategy)
        return reader

    def _decoded(self, reader: WireReader) -> Pump:
        return DecodedPump(reader, taken_up=self.session.continuation is not None)

    def _pump(self, reader: WireReader) -> Pump:
        return ResumedPump(reader) if self.session.continuation is not None else WirePump(reader)

    def _plain_decoder(self) -> bool:
        return type(self.stream._decoder) is self.upstream.sdk.streaming.SSEDecoder

    def _parted(self) -> Any:
        """Between two attempts it is the user again who closes."""
        self.session.busy = self.session.closing = False
        return part_with(self.response, self.upstream.sdk.transport_of(self.response), self.session)

    def _replaced(self, fresh: Any) -> None:
        """A new attempt's headers are there: show it, and listen to it."""
        adopt(self.response, fresh)
        transport = self.upstream.sdk.transport_of(self.response)
        tap(self.response, transport, self.session)
        self.stream._decoder = self.upstream.client._make_sse_decoder()
        self.upstream.request = self.upstream.request_of(self.response)
        headers = self.response.headers
        self.session.opened(self.response.status_code, headers.get("x-request-id") or headers.get("request-id"))


class SyncBody(_Body):
    """For the sync driver. ``again`` sends a request and returns the transport's response."""

    def __init__(self, *args: Any, again: Callable[[Any], Any]) -> None:
        super().__init__(*args)
        self._again = again

    def start(self) -> tuple[Iterator[Any], Pump]:
        """Raw reads of the present attempt, and their pump: our own loop where the SDK's is one that we know."""
        # Kept, for the garbage collector would else close it where the reading ends in a finalizer.
        self._reads, pump = self._started(self._reader())
        return self._reads, pump

    def _started(self, reader: WireReader) -> tuple[Iterator[Any], Pump]:
        if self.upstream.sdk.loop is None:
            return self._own(), ObjectPump(reader)
        if self._plain_decoder():
            return reads(self.response), self._pump(reader)
        return self.stream._decoder.iter_bytes(self.response.iter_bytes()), self._decoded(reader)

    def reopen(self, options: Any) -> None:
        """Send the request again."""
        fresh = self._again(self.upstream.again(options))
        if not self.session.open:  # closed meanwhile, by another thread
            fresh.close()
            self.session.halt()
        self._replaced(fresh)

    def watch(self) -> Watch | None:
        """A watch on the connection in use."""
        return watch(self.response)

    def close(self) -> None:
        """Release the connection; what closes now is not the user's doing."""
        if self.session.open:
            past = self._parted()
            if past is not None:
                past.close()
            return
        self.session.closing = True
        self.response.close()


class AsyncBody(_Body):
    """For the async driver."""

    def __init__(self, *args: Any, again: Callable[[Any], Awaitable[Any]]) -> None:
        super().__init__(*args)
        self._again = again

    def start(self) -> tuple[AsyncIterator[Any], Pump]:
        """As `SyncBody.start`."""
        reader = self._reader()
        if self.upstream.sdk.loop is None:
            return self._own(), ObjectPump(reader)
        if self._plain_decoder():
            return areads(self.response), self._pump(reader)
        return self.stream._decoder.aiter_bytes(self.response.aiter_bytes()), self._decoded(reader)

    def end(self, error: BaseException) -> None:
        """As `asynchronous.AsyncBody.end`: the session judges whatever a connection raises."""

    async def reopen(self, options: Any) -> None:
        """Send the request again."""
        fresh: Any = None
        with until_closed(self.session):
            fresh = await self._again(self.upstream.again(options))
        if not self.session.open:  # closed meanwhile, by another task
            if fresh is not None:
                await fresh.aclose()
            self.session.halt()
        self._replaced(fresh)

    async def drain(self, chunks: AsyncIterator[Any]) -> None:
        """Read to the end of a body whose answer is whole, so that its connection is used again."""
        if self.response.is_closed:
            return
        import anyio  # both SDKs bring it

        with suppress(Exception), anyio.move_on_after(_DRAIN):
            async for _ in chunks:
                pass

    async def close(self) -> None:
        """As `SyncBody.close`."""
        if self.session.open:
            past = self._parted()
            if past is not None:
                await past.aclose()
            return
        self.session.closing = True
        await self.response.aclose()
