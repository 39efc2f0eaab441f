"""Serve one client connection on a plain asyncio transport: read requests and send responses."""

import asyncio
import socket
import struct
from collections.abc import Callable
from typing import cast

from . import http
from .steps import End, Pause, Raw, Send, SimulatedResponse

_WRITE_SIZE = 65536
REQUEST_SECONDS = 60.0
"""Time limit from the first to the last byte of a request, in seconds. Slower requests get status 408."""
_READ_AHEAD = 1_048_576
"""Number of bytes of further requests that are buffered while one is answered. The rest stays in the socket."""
_LINGER_SECONDS = 1.0
"""Time to wait for a client to close after an answer to an unreadable request, in seconds."""


class DisconnectedError(Exception):
    """The client has closed the connection."""


class Connection(asyncio.Protocol):
    """One connection. A client that closes its sending side counts as disconnected."""

    def __init__(self) -> None:
        self._reader = http.RequestReader()
        self._answering = False
        self._refused = self._paused = False
        self._changed = asyncio.Event()
        self._client_gone = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()
        self.events = 0
        """Number of events of the current response that were sent."""
        self.has_sent = False
        """True if a part of the current response was sent."""
        self.transport: asyncio.Transport
        self._is_connected = self._is_closed = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self._is_connected = True
        if self._is_closed:  # the server stopped between accepting the connection and this callback
            self.transport.abort()
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
        self._changed.set()

    def eof_received(self) -> bool:
        self._client_left()
        return False

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 (asyncio's signature)
        self._client_left()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def _client_left(self) -> None:
        self._client_gone.set()
        self._changed.set()
        self._writable.set()

    async def request(self) -> http.HttpRequest | None:
        """Return the next request. Raises `http.BadRequestError`, and `DisconnectedError` if the client has left."""
        self._answering = self.has_sent = False
        if self._paused:
            self._paused = False
            self.transport.resume_reading()
        while (found := self._reader.next()) is None:
            if not self._reader.begun:
                await self._wait_for_data()
                continue
            try:
                async with asyncio.timeout(REQUEST_SECONDS):
                    return await self._complete_request()
            except TimeoutError:
                text = f"the request was not complete after {REQUEST_SECONDS:g} s"
                raise http.BadRequestError(text, 408) from None
        self._answering = True
        return found

    async def _complete_request(self) -> http.HttpRequest | None:
        while (found := self._reader.next()) is None:
            await self._wait_for_data()
        self._answering = True
        return found

    async def _wait_for_data(self) -> None:
        if self._client_gone.is_set():
            raise DisconnectedError
        self._changed.clear()
        await self._changed.wait()

    async def refuse(self, response: SimulatedResponse) -> None:
        """Answer an unreadable request and close the connection.

        Further input is discarded for a moment: closing a socket with unread bytes would reset the connection, and the
        client would lose the answer.
        """
        self._refused = True
        await self.send(response)
        if self.transport.can_write_eof():
            self.transport.write_eof()
        try:
            async with asyncio.timeout(_LINGER_SECONDS):
                await self._client_gone.wait()
        except TimeoutError:
            pass

    async def wait_silently(self, seconds: float) -> None:
        """Send nothing for a number of seconds. Raises `DisconnectedError` as soon as the client leaves."""
        await self._flush(b"")
        if seconds <= 0:
            return
        try:
            async with asyncio.timeout(seconds):
                await self._client_gone.wait()
        except TimeoutError:
            return
        raise DisconnectedError

    async def send(self, response: SimulatedResponse, before_last: Callable[[int], None] = lambda _: None) -> bool:
        """Send a response. Return True if the connection can take another request. Raises `DisconnectedError`.

        Steps are collected into large writes; a pause or the end writes the collected bytes. `before_last` is called
        with the number of all events just before the last write, so that the log is complete once the client has read
        everything.
        """
        self.events = 0
        self.has_sent = False
        self._before_last = before_last
        if response.delay:
            await self.wait_silently(response.delay)
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
                    await self.wait_silently(seconds)
                case End():
                    return await self._end(step, response, bytes(out), events)
            if len(out) >= _WRITE_SIZE:
                await self._flush(bytes(out), events)
                out, events = bytearray(), 0
        return await self._end(End.COMPLETE, response, bytes(out), events)

    async def _end(self, end: End, response: SimulatedResponse, out: bytes, events: int) -> bool:
        keep = end is End.COMPLETE and response.length != -1  # -1: the end of the connection ends the body
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
        if self._client_gone.is_set():
            raise DisconnectedError
        if data:
            self.has_sent = True
            self.transport.write(data)
        await asyncio.sleep(0)  # lets the loop notice a client that has left
        await self._writable.wait()
        if self._client_gone.is_set():
            raise DisconnectedError
        self.events += events

    def close(self) -> None:
        """Close the connection after sending all written bytes."""
        self._is_closed = True
        if self._is_connected:
            self.transport.close()

    def abort(self) -> None:
        """Close the connection at once and discard unsent bytes."""
        self._is_closed = True
        if self._is_connected:
            self.transport.abort()

    def reset(self) -> None:
        """Close the connection by RST."""
        raw = self.transport.get_extra_info("socket")
        if raw is not None:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()


def _head(response: SimulatedResponse) -> bytes:
    if not response.status:
        return b""
    if response.length is None:
        framing = {"transfer-encoding": "chunked"}
    elif response.length < 0:
        framing = {"connection": "close"}
    else:
        framing = {"content-length": str(response.length)}
    return http.head(response.status, {**response.headers, **framing})
