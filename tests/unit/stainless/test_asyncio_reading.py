"""A connection that is read all the while: bounded, left as it was found, and the same under TLS."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import anyio
import pytest
import trustme

from l0.stainless.asyncio_reading import _LIMIT, holds_unread, keep_reading

SIZE = 65536
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
KINDS = pytest.mark.parametrize("secure", [False, True], ids=["plain", "TLS"])


@asynccontextmanager
async def connected(serve: Serve, *, secure: bool) -> AsyncIterator[Any]:
    """anyio's stream to a server that does this with its connection."""
    authority = trustme.CA()
    theirs, ours = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("127.0.0.1").configure_cert(theirs)
    authority.configure_trust(ours)
    writers: list[asyncio.StreamWriter] = []

    async def served(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        await serve(reader, writer)

    server = await asyncio.start_server(served, "127.0.0.1", 0, ssl=theirs if secure else None)
    port = server.sockets[0].getsockname()[1]
    async with server:
        stream: Any = await anyio.connect_tcp("127.0.0.1", port)
        if secure:
            stream = await anyio.streams.tls.TLSStream.wrap(
                stream, hostname="127.0.0.1", ssl_context=ours, standard_compatible=False
            )
        async with stream:
            yield stream
        for writer in writers:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()


def wire(stream: Any) -> Any:
    return getattr(stream, "transport_stream", stream)


@KINDS
def test_what_comes_is_read_and_the_connection_is_left_as_it_was(secure):
    async def serve(_: Any, writer: asyncio.StreamWriter) -> None:
        writer.write(b"one")

    async def main() -> None:
        async with connected(serve, secure=secure) as stream:
            below = wire(stream)
            usual = below._transport.get_protocol()
            with keep_reading(stream) as receive:
                assert below._transport.get_protocol() is not usual
                assert await receive(SIZE) == b"one"
                assert below._transport.is_reading()
            assert below._transport.get_protocol() is usual
            assert wire(stream) is below
            assert not below._transport.is_reading()

    asyncio.run(main())


@KINDS
def test_read_and_write_work_and_other_methods_are_anyio(secure):
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while asked := await reader.read(SIZE):
            writer.write(asked.upper())

    async def main() -> list[bytes]:
        got = []
        async with connected(serve, secure=secure) as stream:
            with keep_reading(stream) as receive:
                for word in (b"a", b"b"):
                    await stream.send(word)
                    got.append(await receive(SIZE))
                await stream.send(b"c")
                while not wire(stream)._transport.get_protocol()._protocol.read_queue:
                    await asyncio.sleep(0)
            got.append(await stream.receive())
            await stream.send(b"d")
            got.append(await stream.receive())
        return got

    assert asyncio.run(main()) == [b"A", b"B", b"C", b"D"]


@KINDS
def test_the_end_is_anyios(secure):
    async def serve(_: Any, writer: asyncio.StreamWriter) -> None:
        writer.write(b"one")
        writer.close()

    async def main() -> None:
        async with connected(serve, secure=secure) as stream:
            with keep_reading(stream) as receive:
                assert await receive(SIZE) == b"one"
                for _ in range(2):
                    with pytest.raises(anyio.EndOfStream):
                        await receive(SIZE)
            with pytest.raises(anyio.EndOfStream):
                await stream.receive()

    asyncio.run(main())


def test_the_end_that_arrives_before_the_data_is_read_is_anyios():
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.read(SIZE))
        writer.write(await reader.read(SIZE))
        writer.close()

    async def main() -> None:
        async with connected(serve, secure=False) as stream:
            with keep_reading(stream) as receive, anyio.fail_after(60):
                await stream.send(b"one")
                assert await receive(SIZE) == b"one"  # from now on, the connection is open for reading
                await stream.send(b"two")
                while not stream._transport.get_protocol()._ended:
                    await asyncio.sleep(0)
                assert await receive(SIZE) == b"two"
                with pytest.raises(anyio.EndOfStream):
                    await receive(SIZE)

    asyncio.run(main())


def test_a_broken_connection_is_anyios():
    async def serve(_: Any, writer: asyncio.StreamWriter) -> None:
        writer.write(b"one")

    async def main() -> None:
        async with connected(serve, secure=False) as stream:
            with keep_reading(stream) as receive:
                assert await receive(SIZE) == b"one"
                stream._transport._protocol.connection_lost(ConnectionResetError())
                with pytest.raises(anyio.BrokenResourceError):
                    await receive(SIZE)

    asyncio.run(main())


def test_slow_reader_applies_backpressure():
    sent = 4_000_000

    async def serve(_: Any, writer: asyncio.StreamWriter) -> None:
        writer.write(b"x" * sent)

    async def main() -> None:
        async with connected(serve, secure=False) as stream:
            with keep_reading(stream) as receive:
                got = len(await receive(SIZE))
                while stream._transport.is_reading():
                    await asyncio.sleep(0)
                waiting = sum(map(len, stream._protocol.read_queue))
                assert waiting <= _LIMIT + stream._transport.max_size
                while got < sent:
                    got += len(await receive(SIZE))
            assert got == sent

    asyncio.run(main())


@KINDS
def test_what_waits_unread_is_known(secure):
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while asked := await reader.read(SIZE):
            writer.write(asked)

    async def main() -> None:
        async with connected(serve, secure=secure) as stream:
            with keep_reading(stream) as receive:
                await stream.send(b"one")
                assert await receive(SIZE) == b"one"
            assert not holds_unread(stream)
            with keep_reading(stream) as receive:
                await stream.send(b"one")
                assert await receive(SIZE) == b"one"
                await stream.send(b"two")
                while not wire(stream)._protocol.read_queue:
                    await asyncio.sleep(0)
            assert holds_unread(stream)
            assert await stream.receive() == b"two"
            assert not holds_unread(stream)

    asyncio.run(main())


@KINDS
def test_a_transport_that_keeps_its_protocol_is_read_as_it_is(secure, monkeypatch):
    def refuse(_: asyncio.BaseProtocol) -> None:
        raise NotImplementedError

    async def serve(_: Any, writer: asyncio.StreamWriter) -> None:
        writer.write(b"one")

    async def main() -> None:
        async with connected(serve, secure=secure) as stream:
            below = wire(stream)
            monkeypatch.setattr(below._transport, "set_protocol", refuse)
            with keep_reading(stream) as receive:
                assert await receive(SIZE) == b"one"
                assert not below._transport.is_reading()
            assert wire(stream) is below

    asyncio.run(main())


def test_other_streams_are_read_as_they_are():
    class Other:
        async def receive(self, size: int) -> bytes:
            return b"x" * size

    async def main() -> None:
        other = Other()
        with keep_reading(other) as receive:
            assert receive == other.receive
            assert await receive(3) == b"xxx"
        assert not holds_unread(other)

    asyncio.run(main())
