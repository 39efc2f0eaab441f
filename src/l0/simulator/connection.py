"""One client connection: requests in, steps carried out, on a bare asyncio transport."""

import asyncio
import socket
import struct
from collections.abc import Callable
from typing import cast

from l0.simulator import http
from l0.simulator.steps import End, Pause, Raw, Response, Send

_WRITE_SIZE = 65536
REQUEST_SECONDS = 60.0
"""From the first byte of a request to its last: a client that is slower is refused."""
_READ_AHEAD = 1_048_576
"""Bytes of further requests that are kept while one is answered; more stay with the client."""
_LINGER_SECONDS = 1.0


class DisconnectedError(Exception):
    """The client has left."""


class Connection(asyncio.Protocol):
    """Bytes both ways. A client that closes its side counts as gone."""

    def __init__(self) -> None:
        self._reader = http.RequestReader()
        self._answering = False
        self._refused = self._paused = False
        self._news = asyncio.Event()
        self._gone = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()
        self.events = 0
        self.wrote = False
        """Whether anything of the present response has been sent."""
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        raw = transport.get_extra_info("socket")
        if raw is not None:
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        self._reader.feed(data)
        if self._answering and not self._paused and self._reader.waiting > _READ_AHEAD:
            self._paused = True
            self.transport.pause_reading()
        self._news.set()

    def eof_received(self) -> bool:
        self._leave()
        return False

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 (asyncio's signature)
        self._leave()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def _leave(self) -> None:
        self._gone.set()
        self._news.set()
        self._writable.set()

    async def request(self) -> http.Request | None:
        """The next request; None when the client has left. Raises `http.BadRequestError`."""
        self._answering = False
        if self._paused:
            self._paused = False
            self.transport.resume_reading()
        while (found := self._reader.next()) is None:
            if not self._reader.begun:
                await self._more()
                continue
            try:
                async with asyncio.timeout(REQUEST_SECONDS):
                    return await self._rest()
            except TimeoutError:
                text = f"the request was not complete after {REQUEST_SECONDS:g} s"
                raise http.BadRequestError(text, 408) from None
        self._answering = True
        return found

    async def _rest(self) -> http.Request | None:
        while (found := self._reader.next()) is None:
            await self._more()
        self._answering = True
        return found

    async def _more(self) -> None:
        if self._gone.is_set():
            raise DisconnectedError
        self._news.clear()
        await self._news.wait()

    async def refuse(self, response: Response) -> None:
        """Answer what cannot be read, and end the connection. What still comes is thrown away for a while: with bytes
        unread, closing would reset the connection, and the client lose the answer."""
        self._refused = True
        await self.carry_out(response)
        if self.transport.can_write_eof():
            self.transport.write_eof()
        try:
            async with asyncio.timeout(_LINGER_SECONDS):
                await self._gone.wait()
        except TimeoutError:
            pass

    async def silence(self, seconds: float) -> None:
        """Say nothing for a while; raises `DisconnectedError` as soon as the client leaves."""
        await self._flush(b"")
        if seconds <= 0:
            return
        try:
            async with asyncio.timeout(seconds):
                await self._gone.wait()
        except TimeoutError:
            return
        raise DisconnectedError

    async def carry_out(self, response: Response, before_last: Callable[[int], None] = lambda _: None) -> bool:
        """Send a response; whether the connection can take another request. Raises `DisconnectedError`.

        Steps are gathered into large writes; a pause or the end sends what there is. `before_last` gets the number of
        all events just before the last write, so that a client that has read it all finds that known.
        """
        self.events = 0
        self.wrote = False
        self._before_last = before_last
        if response.delay:
            await self.silence(response.delay)
        out, events = bytearray(_head(response)), 0
        for step in response.steps:
            match step:
                case Send(data, count):
                    out += http.chunk(data) if response.length is None else data
                    events += count
                case Raw(data, count):
                    out += data
                    events += count
                case Pause(seconds):
                    await self._flush(bytes(out), events)
                    out, events = bytearray(), 0
                    await self.silence(seconds)
                case End():
                    return await self._end(step, response, bytes(out), events)
            if len(out) >= _WRITE_SIZE:
                await self._flush(bytes(out), events)
                out, events = bytearray(), 0
        return await self._end(End.COMPLETE, response, bytes(out), events)

    async def _end(self, end: End, response: Response, out: bytes, events: int) -> bool:
        keep = end is End.COMPLETE and response.length != -1
        if keep and response.length is None and response.status:
            out += http.LAST_CHUNK
        self._before_last(self.events + events)
        await self._flush(out, events)
        if end is End.RST:
            self.reset()
        elif not keep:
            self.transport.close()
        return keep

    async def _flush(self, data: bytes, events: int = 0) -> None:
        if self._gone.is_set():
            raise DisconnectedError
        if data:
            self.wrote = True
            self.transport.write(data)
        await asyncio.sleep(0)
        await self._writable.wait()
        if self._gone.is_set():
            raise DisconnectedError
        self.events += events

    def drop(self) -> None:
        """Close, with what was written sent first."""
        self.transport.close()

    def abort(self) -> None:
        """Close at once, whatever the client has not read."""
        self.transport.abort()

    def reset(self) -> None:
        """End the connection by RST."""
        raw = self.transport.get_extra_info("socket")
        if raw is not None:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()


def _head(response: Response) -> bytes:
    if not response.status:
        return b""
    if response.length is None:
        framing = {"transfer-encoding": "chunked"}
    elif response.length < 0:
        framing = {"connection": "close"}
    else:
        framing = {"content-length": str(response.length)}
    return http.head(response.status, {**response.headers, **framing})
