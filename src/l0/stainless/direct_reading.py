"""Read bodies directly from their connection under asyncio, bypassing the transport's parser. Off by default.

In the transport, each piece of a body passes through seven generators, a general HTTP parser and a timeout of its own.
Here it passes through `PlainChunkParser` only. The transport still handles everything rare. Its parser does not see the
chunks that are read here, and is then advanced to their end as if they had never been sent. From there (the last chunk,
the end of the connection, a protocol error) the transport reads as usual; an exception of a read here is raised again
inside the transport. So the transport's own code decides about errors, closing and reuse of the connection. If a body
is abandoned, the parser has not seen its end, and the transport closes the connection.

This code relies on private names of httpx and httpcore. If anything differs from what it expects, the body is read as
usual: for HTTP/2, other transports and streams, bodies that are not chunked or have been read in part, traced
transports, and event loops other than asyncio. Sync streams are always read as usual: reading them directly would save
half of the CPU time of a burst, but less than a third if tokens arrive one by one over TLS.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial
from time import perf_counter
from typing import Any

from l0.fastpath.chunked_body import PlainChunkParser
from l0.model.durations import limit_of
from l0.model.policy import Timeout
from l0.runtime.async_deadlines import deadline_reads
from l0.runtime.deadlines import CallDeadlines
from l0.runtime.watchdog import Expired

from .asyncio_reading import keep_reading

_LAYERS = (
    ("httpx", "BoundAsyncStream", "_stream"),
    ("httpx", "AsyncResponseStream", "_httpcore_stream"),
    ("httpcore", "PoolByteStream", "_stream"),
    ("httpcore", "HTTP11ConnectionByteStream", "_connection"),
    ("httpcore", "AsyncHTTP11Connection", "_network_stream"),
    ("httpcore", "AnyIOStream", "_stream"),
)
"""Package, class and attribute of each layer between a response and its socket, from the outside in."""


class _FailingSocket:
    """A replacement of a socket that raises a read's error again, so that the transport converts it and cleans up."""

    def __init__(self, socket: Any, error: BaseException) -> None:
        self._socket = socket
        self._error = error

    async def receive(self, *_: Any, **__: Any) -> bytes:
        raise self._error

    def __getattr__(self, name: str) -> Any:
        return getattr(self._socket, name)


class _Connection:
    """A connection that is read directly.

    ``socket_attribute``: the attribute of its network stream that holds the socket. ``read_timeout_s``: the timeout of
    the transport.
    """

    def __init__(self, connection: Any, socket_attribute: str, read_timeout_s: float | None) -> None:
        self._network = connection._network_stream
        self._socket_attribute = socket_attribute
        self._parser = connection._h11_state
        self.socket = getattr(self._network, socket_attribute)
        self.size: int = connection.READ_NUM_BYTES
        self.read_timeout_s = read_timeout_s
        self.chunks = PlainChunkParser()

    def early_content(self) -> list[bytes]:
        """Take the body bytes that arrived with the headers out of the parser's buffer, and return their content."""
        buffer = self._parser._receive_buffer
        return self.chunks.feed(bytes(buffer.maybe_extract_at_most(len(buffer)) or b""))

    def fail(self, error: BaseException) -> bytes:
        """Make the transport's next read raise ``error``. Return ``b""``: nothing more is read here."""
        setattr(self._network, self._socket_attribute, _FailingSocket(self.socket, error))
        return b""

    def return_to_transport(self) -> None:
        """Advance the parser to the end of the chunks that were read here."""
        self._parser.receive_data(self.chunks.handover_bytes())
        self._parser.next_event()  # consumes the one byte that `handover_bytes` substitutes for them


def areads(response: Any) -> AsyncIterator[bytes]:
    """Return the raw reads of the body of a ``response`` that `sdk_responses` has wrapped."""
    stream = response.stream.inner
    connection = _connection_of(response, stream)
    return aiter(stream) if connection is None else _areads(connection, stream)


async def _areads(connection: _Connection, stream: Any) -> AsyncIterator[bytes]:
    chunks = connection.chunks
    with keep_reading(connection.socket) as receive:
        reads = deadline_reads(partial(receive, connection.size), _read_limit(connection.read_timeout_s))
        read = reads.read
        try:
            parts = connection.early_content()
            while True:
                for part in parts:
                    yield part
                try:
                    raw = b"" if chunks.stopped else await read()
                except Expired:
                    raw = connection.fail(TimeoutError())
                except BaseException as error:
                    raw = connection.fail(error)
                if not raw:
                    break
                parts = chunks.feed(raw)
        finally:
            reads.close()
    connection.return_to_transport()
    async for part in stream:
        yield part


def _read_limit(timeout_s: float | None) -> CallDeadlines:
    """Return the transport's read timeout as a deadline, which needs no timer per read."""
    limit = None if timeout_s is None else limit_of(timeout_s)
    return CallDeadlines(Timeout(initial_token=None, inter_token=None, liveness=limit), perf_counter())


def _connection_of(response: Any, stream: Any) -> _Connection | None:
    """Return the connection of a body; ``None`` if any layer is not as expected."""
    found = [stream]
    for package, name, attribute in _LAYERS:
        kind = type(found[-1])
        if kind.__name__ != name or kind.__module__.partition(".")[0] not in (package, f"{package}2"):
            return None
        found.append(getattr(found[-1], attribute, None))
    connection, socket = found[-3], found[-1]
    parser: Any = getattr(connection, "_h11_state", None)
    reader = type(getattr(parser, "_reader", None))
    if socket is None or (reader.__module__, reader.__name__) != ("h11._readers", "ChunkedReader"):
        return None
    extensions = response.request.extensions
    read_timeout_s = extensions.get("timeout", {}).get("read")
    if "trace" in extensions or read_timeout_s == 0 or parser.trailing_data[1]:
        return None
    return _Connection(connection, _LAYERS[-1][2], read_timeout_s)
