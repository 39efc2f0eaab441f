"""An HTTP/2 server over TLS on a loopback socket. A script answers each request, as slowly as it likes."""

import asyncio
import json
import ssl
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress

import trustme
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, RequestReceived, StreamEnded
from trickling import LONGEST, PAUSE

Script = Callable[["Exchange"], Awaitable[None]]


class Exchange:
    """One request and its answer: one stream of a connection."""

    def __init__(self, connection: "_Connection", number: int) -> None:
        self._connection = connection
        self._number = number
        self.connection = connection.number
        """The number of the TCP connection, from 1."""
        self.body = b""

    @property
    def model(self) -> str:
        """The model that the request asks for."""
        return str(json.loads(self.body)["model"])

    async def headers(self, status: int = 200, kind: str = "text/event-stream", filler: int = 0) -> bytes:
        """Send the headers. With ``filler``, return them unsent, so many bytes longer."""
        pairs = [(":status", str(status)), ("content-type", kind)]
        pairs += [("x-filler", "~" * filler)] if filler else []
        self._connection.h2.send_headers(self._number, pairs)
        if filler:
            return self._connection.h2.data_to_send()
        await self._connection.flush()
        return b""

    async def data(self, content: bytes, *, end: bool = False) -> None:
        """Send a part of the body."""
        self._connection.h2.send_data(self._number, content, end_stream=end)
        await self._connection.flush()

    async def trickle(self, content: bytes) -> None:
        """Send ``content`` as data again and again."""
        for _ in range(int(LONGEST / PAUSE)):
            await self.data(content)
            await asyncio.sleep(PAUSE)

    async def trickle_headers(self) -> None:
        """Send headers byte by byte."""
        for byte in await self.headers(filler=4000):
            await self._connection.write(bytes([byte]))
            await asyncio.sleep(PAUSE)

    async def stall(self) -> None:
        """Send nothing more."""
        await asyncio.sleep(LONGEST)


class _Connection:
    def __init__(self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, script: Script) -> None:
        self.number = number
        self.h2 = H2Connection(H2Configuration(client_side=False))
        self._reader, self._writer, self._script = reader, writer, script
        self._exchanges: dict[int, Exchange] = {}

    async def write(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def flush(self) -> None:
        await self.write(self.h2.data_to_send())

    async def serve(self) -> None:
        self.h2.initiate_connection()
        await self.flush()
        async with asyncio.TaskGroup() as group:
            while data := await self._reader.read(65536):
                for event in self.h2.receive_data(data):
                    match event:
                        case RequestReceived():
                            self._exchanges[event.stream_id] = Exchange(self, event.stream_id)
                        case DataReceived():
                            self._exchanges[event.stream_id].body += event.data
                            self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                        case StreamEnded():
                            group.create_task(self._play(self._exchanges[event.stream_id]))
                await self.flush()
            raise ConnectionError("the client has left")

    async def _play(self, exchange: Exchange) -> None:
        await self._script(exchange)


class Http2Server:
    """A running server: its address, and the TLS context that trusts it."""

    def __init__(self) -> None:
        authority = trustme.CA()
        self.trusting = ssl.create_default_context()
        authority.configure_trust(self.trusting)
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(self._context)
        self._context.set_alpn_protocols(["h2"])
        self.connections = 0
        self.url = ""

    @asynccontextmanager
    async def listen(self, script: Script) -> AsyncIterator[None]:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self.connections += 1
            with suppress(OSError, ExceptionGroup, asyncio.CancelledError):
                await _Connection(self.connections, reader, writer, script).serve()
            writer.transport.abort()

        listener = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=self._context)
        try:
            self.url = f"https://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
            yield
        finally:
            listener.close()


@contextmanager
def running_server(script: Script) -> Iterator[Http2Server]:
    """Answer every request by ``script``."""
    running = Http2Server()
    ready, stop = threading.Event(), asyncio.Event()
    loops: list[asyncio.AbstractEventLoop] = []

    async def main() -> None:
        loops.append(asyncio.get_running_loop())
        async with running.listen(script):
            ready.set()
            await stop.wait()
            for task in asyncio.all_tasks() - {asyncio.current_task()}:
                task.cancel()

    thread = threading.Thread(target=asyncio.run, args=(main(),), daemon=True)
    thread.start()
    assert ready.wait(LONGEST)
    try:
        yield running
    finally:
        loops[0].call_soon_threadsafe(stop.set)
        thread.join()


def by_model(scripts: dict[str, Script]) -> Script:
    """Answer by the model that is asked for."""

    async def play(exchange: Exchange) -> None:
        await scripts[exchange.model](exchange)

    return play


def trickle_body(status: int, kind: str, begin: bytes) -> Script:
    """Send whole headers and a body that never ends, byte by byte."""

    async def play(exchange: Exchange) -> None:
        await exchange.headers(status, kind)
        await exchange.data(begin)
        await exchange.trickle(b" ")

    return play


async def trickle_headers(exchange: Exchange) -> None:
    """Send headers byte by byte."""
    await exchange.trickle_headers()


async def send_nothing(exchange: Exchange) -> None:
    """Send nothing at all."""
    await exchange.stall()


def begin_then_stall(begin: bytes) -> Script:
    """Begin a stream, and send nothing more."""

    async def play(exchange: Exchange) -> None:
        await exchange.headers()
        await exchange.data(begin)
        await exchange.stall()

    return play


def begin_then_finish(content: bytes, finish: threading.Event) -> Script:
    """Begin a stream, send comments until ``finish`` is set, and then the rest of the stream."""
    first, rest = content.split(b"\n\n", 1)

    async def play(exchange: Exchange) -> None:
        await exchange.headers()
        await exchange.data(first + b"\n\n")
        while not finish.is_set():
            await exchange.data(b": ping\n\n")
            await asyncio.sleep(PAUSE)
        await exchange.data(rest, end=True)

    return play


CHUNK = (
    b'data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,'
    b'"delta":{"role":"assistant","content":"Hello"},"finish_reason":null}]}\n\n'
)
"""A piece of content, as chat completions stream it."""
