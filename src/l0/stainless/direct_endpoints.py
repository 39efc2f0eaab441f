"""Connections in memory, on which `direct_proof` plays its scripts below the installed transport."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable
from errno import EBADF
from typing import Any

from .direct_scripts import Piece, Script, SocketEnding


class Endpoint:
    """A network backend whose connections answer each request with the next script.

    ``network``: the transport's class of network streams. ``timeouts``: the timeouts of all reads of sync sockets.
    ``requests``: the number of the connection of each request. By the number of a connection: ``pieces``, those left to
    read, and ``closed``.
    """

    def __init__(self, network: Any, scripts: Iterable[Script]) -> None:
        self._network = network
        self._scripts = iter(scripts)
        self.timeouts: set[float | None] = set()
        self.requests: list[int] = []
        self.pieces: list[deque[Piece]] = []
        self.closed: list[bool] = []

    def answer(self, number: int) -> None:
        """Answer a request over a connection."""
        self.requests.append(number)
        self.pieces[number].extend(next(self._scripts).pieces)

    def next_number(self) -> int:
        """Return the number of a new connection."""
        self.pieces.append(deque())
        self.closed.append(False)
        return len(self.closed) - 1

    def network_over(self, socket: Any) -> Any:
        """Return the transport's network stream over ``socket``, of the newest connection."""
        pieces = self.pieces[-1]
        network = self._network(socket)
        network.get_extra_info = lambda name: bool(pieces) if name == "is_readable" else None
        return network


class _SyncEndpoint(Endpoint):
    """Connections for sync transports."""

    def connect_tcp(self, *_: Any, **__: Any) -> Any:
        """Return a new connection."""
        return self.network_over(_Socket(self))


class _Socket:
    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._number = endpoint.next_number()
        self._pieces = endpoint.pieces[self._number]
        self._timeout: float | None = None

    def settimeout(self, timeout: float | None) -> None:
        self._timeout = timeout

    def send(self, data: bytes) -> int:
        self._endpoint.answer(self._number)
        return len(data)

    def recv(self, _: int) -> bytes:
        if self._endpoint.closed[self._number]:
            raise OSError(EBADF, "Bad file descriptor")
        self._endpoint.timeouts.add(self._timeout)
        piece = self._pieces.popleft() if self._pieces else SocketEnding.SILENT
        if isinstance(piece, bytes):
            return piece
        if piece is SocketEnding.CLOSED:
            return b""
        raise TimeoutError("timed out") if piece is SocketEnding.SILENT else ConnectionResetError("reset")

    def close(self) -> None:
        self._endpoint.closed[self._number] = True


class _AsyncioEndpoint(Endpoint):
    """Connections for async transports under asyncio."""

    async def connect_tcp(self, *_: Any, **__: Any) -> Any:
        """Return a new connection."""
        from anyio._backends import _asyncio as backend

        protocol = backend.StreamProtocol()
        transport = _AsyncioTransport(self, protocol)
        protocol.connection_made(transport)
        return self.network_over(backend.SocketStream(transport, protocol))


class _AsyncioTransport(asyncio.Transport):
    def __init__(self, endpoint: Endpoint, protocol: Any) -> None:
        super().__init__()
        self._endpoint = endpoint
        self._number = endpoint.next_number()
        self._protocol = protocol
        self._pieces = endpoint.pieces[self._number]
        self._reading = self._closing = self._scheduled = False
        self._loop = asyncio.get_running_loop()

    def set_protocol(self, protocol: Any) -> None:
        self._protocol = protocol

    def set_write_buffer_limits(self, *_: Any, **__: Any) -> None: ...

    def write(self, *_: Any, **__: Any) -> None:
        self._endpoint.answer(self._number)
        self._schedule()

    def resume_reading(self) -> None:
        self._reading = True
        self._schedule()

    def pause_reading(self) -> None:
        self._reading = False

    def is_closing(self) -> bool:
        return self._closing

    def write_eof(self) -> None: ...

    def close(self) -> None:
        self.abort()

    def abort(self) -> None:
        self._closing = self._endpoint.closed[self._number] = True
        self._loop.call_soon(self._protocol.connection_lost, None)

    def _schedule(self) -> None:
        """Deliver one piece per turn of the event loop."""
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._deliver)

    def _deliver(self) -> None:
        self._scheduled = False
        if not self._reading or self._closing or not self._pieces:
            return
        piece = self._pieces.popleft()
        if isinstance(piece, bytes):
            self._protocol.data_received(piece)
            self._schedule()
        elif piece is SocketEnding.CLOSED:
            self._protocol.eof_received()
        elif piece is SocketEnding.RESET:
            self._closing = True
            self._protocol.connection_lost(ConnectionResetError("reset"))


class _TrioEndpoint(Endpoint):
    """Connections for async transports under trio."""

    async def connect_tcp(self, *_: Any, **__: Any) -> Any:
        """Return a new connection."""
        return self.network_over(_TrioStream(self))


class _TrioStream:
    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._number = endpoint.next_number()
        self._pieces = endpoint.pieces[self._number]

    async def send_all(self, *_: Any, **__: Any) -> None:
        self._endpoint.answer(self._number)

    async def receive_some(self, *_: Any, **__: Any) -> bytes:
        import trio

        await trio.lowlevel.checkpoint()
        if self._endpoint.closed[self._number]:
            raise trio.ClosedResourceError
        piece = self._pieces.popleft() if self._pieces else SocketEnding.SILENT
        if isinstance(piece, bytes):
            return piece
        if piece is SocketEnding.SILENT:
            await trio.sleep_forever()
        if piece is SocketEnding.RESET:
            raise trio.BrokenResourceError
        return b""

    async def aclose(self) -> None:
        self._endpoint.closed[self._number] = True


ENDPOINTS = {"sync": _SyncEndpoint, "asyncio": _AsyncioEndpoint, "trio": _TrioEndpoint}
"""The class of endpoints by kind of transport."""
