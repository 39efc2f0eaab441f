"""Read bodies directly from their connection, bypassing the transport's layers and its parser.

In the transport, each piece of a body passes through seven generators, a general HTTP parser and a separate timeout.
Here it passes through `PlainChunkParser` or `UnframedBody` only. The transport still handles everything rare. Its
parser does not see what is read here; afterwards, this module advances the parser as if these bytes had never been
sent. The rest (the last chunk, the end of the body or of the connection, a protocol error) the transport reads as
usual. If a read here raises an exception, the transport's next read raises it again. So the transport's own code
decides about errors, closing and reuse of the connection. If the caller abandons a body, the parser has not seen its
end, and the transport closes the connection.

This code relies on private names of httpx and httpcore. If anything differs from what it expects, the body is read as
usual: for HTTP/2, proxies, other transports and streams, bodies that have been read in part, objects with replaced
methods, and transports that are traced or log their steps. `direct_proof` compares both ways to read before the first
body is read directly.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Iterator
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from math import inf
from typing import Any

from l0.fastpath.chunked_body import LAST_CHUNK, PlainChunkParser
from l0.fastpath.unframed_body import UnframedBody
from l0.runtime.async_deadlines import deadline_reads
from l0.runtime.watchdog import Expired

from .asyncio_reading import Receive, holds_unread, keep_reading
from .send_deadlines import is_own_trace

_SYNC_LAYERS = (
    ("httpx", "BoundSyncStream", "_stream"),
    ("httpx", "ResponseStream", "_httpcore_stream"),
    ("httpcore", "PoolByteStream", "_stream"),
    ("httpcore", "HTTP11ConnectionByteStream", "_connection"),
    ("httpcore", "HTTP11Connection", "_network_stream"),
    ("httpcore", "SyncStream", "_sock"),
)
"""Package, class and attribute of each layer between a response and its socket, from the outside in."""
_ASYNCIO_LAYERS = (
    ("httpx", "BoundAsyncStream", "_stream"),
    ("httpx", "AsyncResponseStream", "_httpcore_stream"),
    ("httpcore", "PoolByteStream", "_stream"),
    ("httpcore", "HTTP11ConnectionByteStream", "_connection"),
    ("httpcore", "AsyncHTTP11Connection", "_network_stream"),
    ("httpcore", "AnyIOStream", "_stream"),
)
_TRIO_LAYERS = (*_ASYNCIO_LAYERS[:-1], ("httpcore", "TrioStream", "_stream"))
_POOLS = ("ConnectionPool", "AsyncConnectionPool")
"""The pools of connections without a proxy."""


_LONGEST_TIMEOUT_S = 1e9
"""30 years, which every clock can represent. A body with a longer timeout, or a non-positive one, is read as usual."""


class _LastRead:
    """A replacement of a socket that repeats the outcome of its last read, so that the transport acts on it.

    It replaces the socket in the ``attribute`` of ``network`` for one read, and then puts the socket back, since
    ``network`` asks the socket whether it is readable. ``error``: ``None`` for the end of the connection.
    """

    def __init__(self, network: Any, attribute: str, error: BaseException | None) -> None:
        self._network = network
        self._attribute = attribute
        self._socket = getattr(network, attribute)
        self._error = error

    def recv(self, *_: Any, **__: Any) -> bytes:
        setattr(self._network, self._attribute, self._socket)
        error, self._error = self._error, None  # its traceback refers to this object, and so to the connection
        if error is None:
            return b""
        try:
            raise error
        finally:
            del error

    async def receive(self, *_: Any, **__: Any) -> bytes:
        return self.recv()

    receive_some = receive

    def __getattr__(self, name: str) -> Any:
        return getattr(self._socket, name)


class DirectConnection:
    """A connection that is read directly.

    ``stream``: the response's stream, through which the transport reads. ``layers``: the objects from this stream to
    the network stream. ``bypassed``: the methods that are not called, each as its object and its name.
    ``read_timeout_s``: the timeout of the transport.
    """

    def __init__(self, layers: list[Any], attribute: str, body: PlainChunkParser | UnframedBody) -> None:
        *streams, connection, self._network = layers
        self.stream = streams[0]
        self.layers = layers
        self._attribute = attribute
        self.parser = connection._h11_state
        iteration = "__iter__" if hasattr(self.stream, "__iter__") else "__aiter__"
        self.bypassed: list[tuple[Any, str]] = [
            *[(stream, iteration) for stream in streams],
            (connection, "_receive_response_body"),
            (connection, "_receive_event"),
            (self._network, "read"),
            (self.parser, "next_event"),
            (self.parser, "receive_data"),
        ]
        self.socket = getattr(self._network, attribute)
        self.size: int = connection.READ_NUM_BYTES
        self.read_timeout_s: float | None = layers[-3]._request.extensions.get("timeout", {}).get("read")
        self.body = body

    def early_content(self) -> list[bytes]:
        """Take the body bytes that arrived with the headers out of the parser's buffer, and return their content."""
        buffer = self.parser._receive_buffer
        return self.body.feed(bytes(buffer.maybe_extract_at_most(len(buffer)) or b""))

    def set_timeout(self) -> bool:
        """Set the timeout of a sync socket for all reads. Return False if the transport will fail to set it as well."""
        try:
            self.socket.settimeout(self.read_timeout_s)
        except Exception:
            return False
        return True

    @property
    def by_trio(self) -> bool:
        """True if trio reads the connection."""
        return type(self._network).__name__ == "TrioStream"

    def reading(self) -> AbstractContextManager[Receive]:
        """Return a context of the function that reads an async socket."""
        return nullcontext(self.socket.receive_some) if self.by_trio else keep_reading(self.socket)

    def timeout_error(self) -> Exception:
        """Return the exception of an async read that takes longer than the transport's timeout."""
        if not self.by_trio:
            return TimeoutError()
        import trio

        return trio.TooSlowError()

    def end(self, error: BaseException | None) -> None:
        """Make the transport's next read raise ``error``; ``None`` for the end of the connection."""
        setattr(self._network, self._attribute, _LastRead(self._network, self._attribute, error))

    def retire_if_more_waits(self) -> None:
        """Show the pool that more than the body has arrived, so that it does not use the connection again.

        The pool closes an idle connection that is readable. It cannot see bytes that have been read already, so the
        connection must say that it is readable.
        """
        if holds_unread(self.socket):
            original = self._network.get_extra_info
            self._network.get_extra_info = lambda info: info == "is_readable" or original(info)

    def return_to_transport(self) -> bool:
        """Advance the parser past the bytes that were read here. Return True if that was the end of the body: the
        transport has nothing left to read."""
        body = self.body
        if isinstance(body, PlainChunkParser):
            complete = body.complete
            # The parser has seen no chunk, so it takes the last one for the whole body.
            self.parser.receive_data(LAST_CHUNK if complete else body.handover_bytes())
            self.parser.next_event()  # consumes the last chunk, or the one byte that `handover_bytes` substitutes
            return complete
        if body.left is not None:
            self.parser._reader._remaining = body.left
        if body.rest:  # empty data would be the end of the connection
            self.parser.receive_data(body.rest)
        return False


class _ReadTimeout:
    """The transport's read timeout as the deadline of each read, which needs no timer per read."""

    __slots__ = ("_limit_s",)

    def __init__(self, timeout_s: float | None) -> None:
        self._limit_s = inf if timeout_s is None else timeout_s

    def idle(self) -> None:
        """Do nothing: each read has its own limit."""

    def reading(self, at: float, /) -> float:
        """Return the deadline of a read that starts now."""
        return at + self._limit_s


def read_body(connection: DirectConnection) -> Iterator[bytes]:
    """Yield the raw reads of the body of a sync connection."""
    body, receive, size = connection.body, connection.socket.recv, connection.size
    yield from connection.early_content()
    if connection.set_timeout():
        while not body.stopped:
            try:
                raw = receive(size)
            except BaseException as error:
                connection.end(error)
                break
            if not raw:
                connection.end(None)
                break
            yield from body.feed(raw)
    if connection.return_to_transport():
        return
    # `yield from` would close the stream as well, which fails while the garbage collector closes it elsewhere.
    for part in connection.stream:  # noqa: UP028
        yield part


async def aread_body(connection: DirectConnection) -> AsyncGenerator[bytes, None]:
    """As `read_body`, for async connections."""
    body, timeout = connection.body, _ReadTimeout(connection.read_timeout_s)
    with connection.reading() as receive:
        reads = deadline_reads(partial(receive, connection.size), timeout)
        read = reads.read
        try:
            for part in connection.early_content():
                yield part
            while not body.stopped:
                try:
                    raw = await read()
                except Expired:
                    connection.end(connection.timeout_error())
                    break
                except BaseException as error:
                    connection.end(error)
                    break
                if not raw:
                    connection.end(None)
                    break
                for part in body.feed(raw):
                    yield part
        finally:
            reads.close()
    if not connection.return_to_transport():
        async for part in connection.stream:
            yield part
    connection.retire_if_more_waits()


def connection_of(stream: Any) -> DirectConnection | None:
    """Return the connection of the body that ``stream`` reads; ``None`` if any layer is not as expected."""
    for expected in (_SYNC_LAYERS, _ASYNCIO_LAYERS, _TRIO_LAYERS):
        layers = _layers(stream, expected)
        if layers is not None:
            break
    else:
        return None
    *_, pooled, carrier, connection, network = layers
    parser = getattr(connection, "_h11_state", None)
    body = _body_of(getattr(parser, "_reader", None))
    if body is None or parser is None or parser.trailing_data[1] or _observed(carrier, connection):
        return None
    if type(getattr(pooled, "_pool", None)).__name__ not in _POOLS or getattr(pooled._pool, "_proxy", None) is not None:
        return None
    attribute = expected[-1][2]
    if getattr(network, attribute, None) is None:
        return None
    found = DirectConnection(layers, attribute, body)
    timeout_s = found.read_timeout_s
    if timeout_s is not None and not 0 < timeout_s <= _LONGEST_TIMEOUT_S:
        return None
    # Not `any`: its generator would cost a function call per item.
    overridden = [name for owner, name in found.bypassed if name in vars(owner)]
    return None if overridden else found


def _layers(stream: Any, expected: tuple[tuple[str, str, str], ...]) -> list[Any] | None:
    """Return the objects from ``stream`` to the network stream; ``None`` if one has another class."""
    found = []
    for package, name, attribute in expected:
        kind = type(stream)
        if kind.__name__ != name or kind.__module__.partition(".")[0] not in (package, f"{package}2"):
            return None
        found.append(stream)
        stream = getattr(stream, attribute, None)
    return found


def _body_of(reader: Any) -> PlainChunkParser | UnframedBody | None:
    """Return the parser of the body that h11 would read with ``reader``; ``None`` if it would not read a body."""
    kind = type(reader)
    if kind.__module__ != "h11._readers":
        return None
    match kind.__name__:
        case "ChunkedReader":
            return PlainChunkParser() if vars(reader) == vars(kind()) else None  # not in the middle of a body
        case "ContentLengthReader":
            return UnframedBody(reader._remaining)
        case "Http10Reader":
            return UnframedBody(None)
    return None


def _observed(carrier: Any, connection: Any) -> bool:
    """Return True if the transport's reads are traced or logged."""
    trace = carrier._request.extensions.get("trace")
    package = type(connection).__module__.partition(".")[0]
    return (trace is not None and not is_own_trace(trace)) or logging.getLogger(f"{package}.http11").isEnabledFor(
        logging.DEBUG
    )
