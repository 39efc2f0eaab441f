"""Keep an asyncio connection open for reading while a body arrives.

anyio resumes and pauses reading for every read. That bounds the data that waits for a slow reader, but costs the event
loop two system calls per read. Here reading continues until ``_LIMIT`` bytes wait, as in asyncio's own streams. A
stream that is not anyio's own over a socket, or over TLS over a socket, is read unchanged.

So bytes that follow a body may have been received with it: see `holds_unread`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

Receive = Callable[[int], Awaitable[bytes]]

_LIMIT = 64 * 1024
"""Bytes that may wait for their reader before reading is paused. The last read may exceed it."""
_SOCKET = "anyio._backends._asyncio", "SocketStream"
_TLS = "anyio.streams.tls", "TLSStream"


class _OpenProtocol(asyncio.Protocol):
    """A protocol that keeps filling anyio's read queue. Under TLS it also stands in for the socket stream."""

    def __init__(self, socket_stream: Any) -> None:
        self._socket_stream = socket_stream
        self._transport = socket_stream._transport
        self._protocol = socket_stream._protocol
        self._waiting = 0
        self._ended = getattr(socket_stream._protocol, "is_at_eof", False)  # older versions of anyio read the end again
        self._transport.set_protocol(self)

    def data_received(self, data: bytes) -> None:
        self._protocol.data_received(data)
        self._waiting += len(data)
        if self._waiting > _LIMIT:
            self._transport.pause_reading()

    def eof_received(self) -> Any:
        self._ended = True
        return self._protocol.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self._ended = True
        self._protocol.connection_lost(exc)

    def pause_writing(self) -> None:
        self._protocol.pause_writing()

    def resume_writing(self) -> None:
        self._protocol.resume_writing()

    async def receive(self, max_bytes: int = _LIMIT) -> bytes:
        """Return the next received bytes. Raise as anyio does at the end of the connection, or if it is broken."""
        queue, arrived = self._protocol.read_queue, self._protocol.read_event
        if self._socket_stream._closed:  # by this side: anyio itself would not have received these bytes
            queue.clear()
        if not queue:
            if not (self._ended or self._transport.is_closing()):
                self._waiting = 0
                self._transport.resume_reading()
                await arrived.wait()
            if not queue:
                ended: bytes = await self._socket_stream.receive(max_bytes)  # let anyio raise its own error
                return ended
        data: bytes = queue.popleft()
        if not queue and not self._ended:  # the transport reports the end only once, so the event stays set
            arrived.clear()
        return data

    def stop(self) -> None:
        """Restore anyio's protocol and pause reading: the pool detects a closed idle connection by its readability."""
        self._transport.set_protocol(self._protocol)
        self._transport.pause_reading()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._socket_stream, name)


@contextmanager
def keep_reading(stream: Any) -> Iterator[Receive]:
    """Keep the connection of anyio's ``stream`` open for reading. Yield the function that reads it."""
    socket_stream = _socket_stream(stream)
    secure = socket_stream is not stream
    open_protocol = _opened(socket_stream)
    if open_protocol is None:
        yield stream.receive
        return
    try:
        if secure:
            stream.transport_stream = open_protocol
        yield stream.receive if secure else open_protocol.receive
    finally:
        if secure:
            stream.transport_stream = socket_stream
        open_protocol.stop()


def holds_unread(stream: Any) -> bool:
    """Return True if anyio's ``stream`` received bytes during `keep_reading` that nobody has read.

    Without `keep_reading` they would be left in the socket, and the pool would not use the connection again.
    """
    socket_stream = _socket_stream(stream)
    return _is(socket_stream, _SOCKET) and bool(socket_stream._protocol.read_queue)


def _socket_stream(stream: Any) -> Any:
    """Return the stream over the socket below ``stream``."""
    return stream.transport_stream if _is(stream, _TLS) else stream


def _opened(socket_stream: Any) -> _OpenProtocol | None:
    """Return the replacement of the protocol of ``socket_stream``; ``None`` if it cannot be replaced."""
    try:
        return _OpenProtocol(socket_stream) if _is(socket_stream, _SOCKET) else None
    except Exception:  # another event loop than asyncio's, with other private parts
        return None


def _is(stream: Any, name: tuple[str, str]) -> bool:
    return (type(stream).__module__, type(stream).__name__) == name
