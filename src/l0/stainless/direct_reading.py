"""Bodies read straight from their connection under asyncio, past the transport's parser: for experts, off by default.

On its way through the transport a piece of a body passes seven generators, a general HTTP parser and a time-out of its
own. Here it passes `Chunks`. The transport stays in charge of all that is rare: its parser stands still while chunks go
by, and is then brought to the place where they end, as if they had never been sent. From there on (the last chunk, the
end of the connection, a mistake) the transport reads as ever; and what a read raises, it raises again inside of it. So
errors, closing, and whether a connection is used again are decided by its own code; of a body that is given up its
parser has not seen the end, and the connection is closed.

This knows private names of httpx and httpcore. Where anything is not as it is known, the body is read as ever: HTTP/2,
transports and streams of other makes, no chunks, a body that was begun, tracing of the transport, other event loops
than asyncio. Sync streams are, too: there it saves half of the CPU of a burst, but less than a third where tokens come
one by one over TLS.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial
from time import perf_counter
from typing import Any

from l0.fastpath.chunked_body import Chunks
from l0.model.policy import Timeout
from l0.runtime.async_deadlines import deadline_reads
from l0.runtime.deadlines import Clocks
from l0.runtime.watchdog import Expired

from .asyncio_reading import flowing

_LAYERS = (
    ("httpx", "BoundAsyncStream", "_stream"),
    ("httpx", "AsyncResponseStream", "_httpcore_stream"),
    ("httpcore", "PoolByteStream", "_stream"),
    ("httpcore", "HTTP11ConnectionByteStream", "_connection"),
    ("httpcore", "AsyncHTTP11Connection", "_network_stream"),
    ("httpcore", "AnyIOStream", "_stream"),
)
"""Package, class and attribute of what lies between a response and its socket, from the outside."""


class _Failed:
    """In the place of a socket: raises what a read of it raised once more, for the transport to word and clean up."""

    def __init__(self, socket: Any, error: BaseException) -> None:
        self._socket = socket
        self._error = error

    async def receive(self, *_: Any, **__: Any) -> bytes:
        raise self._error

    def __getattr__(self, name: str) -> Any:
        return getattr(self._socket, name)


class _Line:
    """A connection, while it is read here."""

    def __init__(self, connection: Any, place: str, seconds: float | None) -> None:
        self._network = connection._network_stream
        self._place = place
        self._parser = connection._h11_state
        self.socket = getattr(self._network, place)
        self.size: int = connection.READ_NUM_BYTES
        self.seconds = seconds
        self.chunks = Chunks()

    def begun(self) -> list[bytes]:
        """What came together with the headers: the parser has it, and must not see it."""
        buffer = self._parser._receive_buffer
        return self.chunks.feed(bytes(buffer.maybe_extract_at_most(len(buffer)) or b""))

    def fail(self, error: BaseException) -> bytes:
        """A read raised ``error``: let the transport's next one do so, too. There is nothing more to read here."""
        setattr(self._network, self._place, _Failed(self.socket, error))
        return b""

    def hand_back(self) -> None:
        """Bring the parser to where the chunks end that went past it."""
        self._parser.receive_data(self.chunks.rest())
        self._parser.next_event()  # the byte that stands for them


def areads(response: Any) -> AsyncIterator[bytes]:
    """Raw reads of the body of a ``response`` that `responses.tap` has wrapped."""
    stream = response.stream.inner
    line = _line(response, stream)
    return aiter(stream) if line is None else _areads(line, stream)


async def _areads(line: _Line, stream: Any) -> AsyncIterator[bytes]:
    chunks = line.chunks
    with flowing(line.socket) as receive:
        waiting = deadline_reads(partial(receive, line.size), _clocks(line.seconds))
        read = waiting.read
        try:
            parts = line.begun()
            while True:
                for part in parts:
                    yield part
                try:
                    raw = b"" if chunks.over else await read()
                except Expired:
                    raw = line.fail(TimeoutError())
                except BaseException as error:
                    raw = line.fail(error)
                if not raw:
                    break
                parts = chunks.feed(raw)
        finally:
            waiting.close()
    line.hand_back()
    async for part in stream:
        yield part


def _clocks(seconds: float | None) -> Clocks:
    """The time-out that the user has told the transport, without a timer for each read."""
    limit = None if seconds is None else seconds * 1000
    return Clocks(Timeout(initial_token=None, inter_token=None, liveness=limit), perf_counter())


def _line(response: Any, stream: Any) -> _Line | None:
    """The connection that a body comes from; ``None`` where something is not as it is known."""
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
    seconds = extensions.get("timeout", {}).get("read")
    if "trace" in extensions or seconds == 0 or parser.trailing_data[1]:
        return None
    return _Line(connection, _LAYERS[-1][2], seconds)
