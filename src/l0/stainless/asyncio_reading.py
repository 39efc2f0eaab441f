"""A connection under asyncio that stays open for reading while a body comes.

anyio switches a socket's reading on and off for every read, which keeps a slow reader from piling up what a peer sends,
and costs the event loop two system calls a read. Here reading goes on until ``_LIMIT`` bytes wait, as asyncio's own
streams do it. Where a stream is not anyio's own over a socket, or over TLS over a socket, it is read as it is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

Receive = Callable[[int], Awaitable[bytes]]

_LIMIT = 64 * 1024
"""Bytes that may wait for their reader, before the read that goes over it."""
_SOCKET = "anyio._backends._asyncio", "SocketStream"
_TLS = "anyio.streams.tls", "TLSStream"


class _Flow(asyncio.Protocol):
    """In the place of the protocol of ``wire``, whose queue it fills; and of ``wire`` itself, below TLS."""

    def __init__(self, wire: Any) -> None:
        self._wire = wire
        self._transport = wire._transport
        self._usual = wire._protocol
        self._waiting = 0
        self._transport.set_protocol(self)

    def data_received(self, data: bytes) -> None:
        self._usual.data_received(data)
        self._waiting += len(data)
        if self._waiting > _LIMIT:
            self._transport.pause_reading()

    def eof_received(self) -> Any:
        return self._usual.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self._usual.connection_lost(exc)

    def pause_writing(self) -> None:
        self._usual.pause_writing()

    def resume_writing(self) -> None:
        self._usual.resume_writing()

    async def receive(self, max_bytes: int = _LIMIT) -> bytes:
        """What came first. Raises what anyio raises at the end of the connection, or when it is broken."""
        queue, came = self._usual.read_queue, self._usual.read_event
        if not queue:
            self._waiting = 0
            self._transport.resume_reading()
            await came.wait()
            if not queue:
                ended: bytes = await self._wire.receive(max_bytes)
                return ended
        data: bytes = queue.popleft()
        if not queue:
            came.clear()
        return data

    def stop(self) -> None:
        """Leave the rest to anyio. An idle connection is not read: that is how its pool sees that a peer closed it."""
        self._transport.set_protocol(self._usual)
        self._transport.pause_reading()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._wire, name)


@contextmanager
def flowing(stream: Any) -> Iterator[Receive]:
    """Keep the connection of anyio's ``stream`` open for reading. Gives the function that reads it."""
    secure = _is(stream, _TLS)
    wire = stream.transport_stream if secure else stream
    if not _is(wire, _SOCKET):
        yield stream.receive
        return
    flow = _Flow(wire)
    try:
        if secure:
            stream.transport_stream = flow
        yield stream.receive if secure else flow.receive
    finally:
        if secure:
            stream.transport_stream = wire
        flow.stop()


def _is(stream: Any, name: tuple[str, str]) -> bool:
    return (type(stream).__module__, type(stream).__name__) == name
