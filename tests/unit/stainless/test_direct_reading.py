"""Bodies read straight from their connection, beside the same bodies as the transport reads them: over real sockets."""

import asyncio
import socket
import struct
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from types import SimpleNamespace
from typing import Any

import anyio
import pytest
from installed import httpx, needs_trio

from l0.config import CONFIG
from l0.runtime.connection_use import ConnectionUse
from l0.stainless.sdk_responses import areads, observe_body, reads

HEAD = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
BODY = b"3\r\nabc\r\n4\r\ndefg\r\n"
WHOLE = HEAD + BODY + b"0\r\n\r\n"
LONG = HEAD + b"%x\r\n%s\r\n0\r\n\r\n" % (200_000, b"x" * 200_000)
HANGS_UP, RESETS = object(), object()
Script = tuple[Any, ...]
Read = Callable[..., list[Any]]


@contextmanager
def server(*scripts: Script) -> Iterator[tuple[str, list[int]]]:
    """An origin that sends what each script has, request by request, and calls its functions. Beside it: the connection
    that each came over."""
    over: list[int] = []
    waiting = iter(scripts)

    def serve(connection: socket.socket, number: int) -> None:
        with connection, suppress(ConnectionError):
            while connection.recv(65536):
                over.append(number)
                for piece in next(waiting):
                    if callable(piece):
                        piece()
                        continue
                    if piece is RESETS:
                        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    if piece in (HANGS_UP, RESETS):
                        return
                    connection.sendall(piece)

    def accept() -> None:
        number = 0
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(connection, number), daemon=True).start()
            number += 1

    with socket.create_server(("127.0.0.1", 0)) as listening:
        accepting = threading.Thread(target=accept, daemon=True)
        accepting.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}", over
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            accepting.join(120)


def opened(response: Any) -> Any:
    """As a call of ours has it."""
    observe_body(response, httpx, SimpleNamespace(connection=ConnectionUse.RELEASED, recording=None))
    return response


def read_sync(url: str, times: int = 1, **given: Any) -> list[Any]:
    """The bodies of so many requests, one after the other; an exception in the place of one that broke."""
    got: list[Any] = []
    with httpx.Client(**given) as client:
        for _ in range(times):
            response = opened(client.send(client.build_request("POST", url), stream=True))
            try:
                got.append(b"".join(reads(response)))
            except Exception as error:
                got.append(error)
            finally:
                response.close()
    return got


def read_asyncio(url: str, times: int = 1, **given: Any) -> list[Any]:
    """As `read_sync`."""
    return asyncio.run(_aread(url, times, **given))


def read_trio(url: str, times: int = 1, **given: Any) -> list[Any]:
    """As `read_sync`."""
    return anyio.run(partial(_aread, url, times, **given), backend="trio")


@pytest.fixture(params=[read_sync, read_asyncio, pytest.param(read_trio, marks=needs_trio)])
def read(request: pytest.FixtureRequest) -> Read:
    return request.param


async def _aread(url: str, times: int, **given: Any) -> list[Any]:
    got: list[Any] = []
    async with httpx.AsyncClient(**given) as client:
        for _ in range(times):
            response = opened(await client.send(client.build_request("POST", url), stream=True))
            try:
                got.append(b"".join([part async for part in areads(response)]))
            except Exception as error:
                got.append(error)
            finally:
                await response.aclose()
    return got


@pytest.mark.parametrize(
    "script",
    [
        (WHOLE,),
        (HEAD, BODY, b"0\r\n\r\n"),
        (HEAD + b"3\r\na", b"bc\r", b"\n4", b"\r\ndefg\r\n0\r\n", b"\r\n"),
        (HEAD, b"3;x=y\r\nabc\r\n4\r\ndefg\r\n0\r\nx-trailer: 1\r\n\r\n"),
    ],
)
def test_a_body_comes_whole_and_its_connection_is_used_again(script, read, taken):
    with server(script, script, script) as (url, over):
        assert read(url, 3) == [b"abcdefg"] * 3
    assert taken == [True] * 3
    assert over == [0, 0, 0]


def test_one_chunk_may_take_many_reads(read, taken):
    with server((LONG,), (WHOLE,)) as (url, over):
        assert read(url, 2) == [b"x" * 200_000, b"abcdefg"]
    assert taken == [True] * 2
    assert over == [0, 0]


@pytest.mark.parametrize(
    "end",
    [
        (HANGS_UP,),
        (b"5\r\nab", HANGS_UP),
        (b"5\r\nabcde", HANGS_UP),
        (b"5", HANGS_UP),
        (b"what?\r\n",),
        (b"2\r\nabcd\r\n",),
        (b"-1\r\n",),
        (b"0\r\n\x00\r\n\r\n",),
    ],
)
def test_a_broken_body_breaks_as_ever_and_its_connection_is_closed(end, read, taken, monkeypatch):
    script = (HEAD + BODY, *end)
    with server(script, (WHOLE,), script, (WHOLE,)) as (url, over):
        error, then = read(url, 2)
        monkeypatch.setattr(CONFIG, "_direct", False)
        as_ever, _ = read(url, 2)
    assert taken == [True] * 2
    assert isinstance(error, httpx.RemoteProtocolError)
    assert (type(error), str(error)) == (type(as_ever), str(as_ever))
    assert then == b"abcdefg"
    assert over == [0, 1, 2, 3]


def test_the_transports_time_out_holds(read, taken):
    with server((HEAD + BODY,), (WHOLE,)) as (url, over):
        error, then = read(url, 2, timeout=httpx.Timeout(60, read=2))
    assert isinstance(error, httpx.ReadTimeout)
    assert then == b"abcdefg"
    assert taken == [True] * 2
    assert over == [0, 1]


def test_without_a_time_out_there_is_none(read, taken):
    with server((WHOLE,)) as (url, _):
        assert read(url, timeout=None) == [b"abcdefg"]
    assert taken == [True]


def test_a_reset_is_the_transports_error(read, taken, monkeypatch):
    script = (HEAD + BODY, RESETS)
    with server(script, script) as (url, _):
        (error,) = read(url)
        monkeypatch.setattr(CONFIG, "_direct", False)
        (as_ever,) = read(url)
    assert taken == [True]
    assert isinstance(error, httpx.ReadError)
    assert (type(error), str(error)) == (type(as_ever), str(as_ever))


def test_a_body_that_is_given_up_takes_its_connection_along(taken):
    async def main(url: str) -> None:
        async with httpx.AsyncClient() as client:
            response = opened(await client.send(client.build_request("POST", url), stream=True))
            parts = areads(response)
            assert await anext(parts) == b"abc"
            await parts.aclose()
            await response.aclose()
            assert client._transport._pool.connections == []
            assert (await client.post(url)).content == b"abcdefg"

    with server((HEAD + BODY,), (WHOLE,)) as (url, over):
        asyncio.run(main(url))
    assert taken == [True]
    assert over == [0, 1]


class Unasked:
    """A server that sends more behind a body, while the reader of the body is busy with its first part."""

    def __init__(self) -> None:
        self._opened, self._reading, self._sent = (threading.Event() for _ in range(3))
        more = b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 5\r\n\r\nstale"
        self.script = (
            HEAD,
            partial(self._opened.wait, 60),  # the body comes in a separate read
            BODY + b"0\r\n\r\n",
            partial(self._reading.wait, 60),
            more,
            self._sent.set,
        )

    async def answers(self, url: str, **given: Any) -> list[Any]:
        """The bodies of two requests, the first of which gets the additional bytes."""
        async with httpx.AsyncClient(**given) as client:
            response = opened(await client.send(client.build_request("POST", url), stream=True))
            self._opened.set()
            parts = areads(response)
            got = [await anext(parts)]
            self._reading.set()
            await anyio.to_thread.run_sync(self._sent.wait, 60)
            for _ in range(20):  # a connection that is open for reading reads what has come
                await anyio.lowlevel.checkpoint()
            got += [part async for part in parts]
            await response.aclose()
            return [b"".join(got), (await client.post(url)).content]


@pytest.mark.parametrize("backend", ["asyncio", pytest.param("trio", marks=needs_trio)])
def test_bytes_behind_a_body_are_not_the_next_answer(backend, taken):
    unasked = Unasked()
    with server(unasked.script, (WHOLE,)) as (url, over):
        assert anyio.run(unasked.answers, url, backend=backend) == [b"abcdefg"] * 2
    assert taken == [True]
    assert over == [0, 1]


async def _cancelled_by_asyncio(reading: Any, until: asyncio.Future[None]) -> None:
    task = asyncio.ensure_future(reading)
    await until
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def _cancelled_by_anyio(reading: Any, until: asyncio.Future[None]) -> None:
    with anyio.CancelScope() as scope:
        until.add_done_callback(lambda _: scope.cancel())
        await reading
    assert scope.cancelled_caught


async def _cancelled_by_a_time_out(reading: Any, until: asyncio.Future[None]) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(None) as limit:
            until.add_done_callback(lambda _: limit.reschedule(0))
            await reading


@pytest.mark.parametrize("cancelled", [_cancelled_by_asyncio, _cancelled_by_anyio, _cancelled_by_a_time_out])
def test_a_read_that_is_cancelled_takes_its_connection_along(cancelled, taken):
    async def main(url: str) -> None:
        async with httpx.AsyncClient() as client:
            response = opened(await client.send(client.build_request("POST", url), stream=True))
            got: list[bytes] = []
            all_came = asyncio.get_running_loop().create_future()

            async def reading() -> None:
                async for part in areads(response):
                    got.append(part)
                    if got == [b"abc", b"defg"]:
                        all_came.set_result(None)

            await cancelled(reading(), all_came)
            assert got == [b"abc", b"defg"]
            assert all(one.is_closed() for one in client._transport._pool.connections)
            await response.aclose()
            assert client._transport._pool.connections == []
            task = asyncio.current_task()
            assert task is not None
            assert task.cancelling() == 0
            assert (await client.post(url)).content == b"abcdefg"

    with server((HEAD + BODY,), (WHOLE,)) as (url, over):
        asyncio.run(main(url))
    assert taken == [True]
    assert over == [0, 1]


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.0 200 OK\r\n\r\nabcdefg",
        b"HTTP/1.1 200 OK\r\n\r\nabcdefg",
        b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nabcdefg",
    ],
)
def test_a_body_that_ends_with_its_connection_comes_whole(head, read, taken):
    with server((head, HANGS_UP), (WHOLE,)) as (url, _):
        assert read(url, 2) == [b"abcdefg"] * 2
    assert taken == [True] * 2


SIZED = b"HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\n"


@pytest.mark.parametrize("script", [(SIZED + b"abcdefg",), (SIZED, b"abc", b"defg"), (SIZED + b"abc", b"defg")])
def test_a_connection_is_used_again_after_a_body_with_a_length(script, read, taken):
    with server(script, script) as (url, over):
        assert read(url, 2) == [b"abcdefg"] * 2
    assert taken == [True] * 2
    assert over == [0, 0]


def test_a_body_with_a_length_that_is_cut_breaks_as_ever(read, taken, monkeypatch):
    script = (SIZED + b"abc", HANGS_UP)
    with server(script, (WHOLE,), script, (WHOLE,)) as (url, over):
        error, then = read(url, 2)
        monkeypatch.setattr(CONFIG, "_direct", False)
        as_ever, _ = read(url, 2)
    assert (type(error), str(error)) == (type(as_ever), str(as_ever))
    assert isinstance(error, httpx.RemoteProtocolError)
    assert then == b"abcdefg"
    assert taken == [True] * 2
    assert over == [0, 1, 2, 3]


class _Given(httpx.AsyncByteStream):
    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield b"abc"


class Passing(httpx.AsyncByteStream):
    """A stream of the application's own, around the transport's."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for part in self._stream:
            yield part.upper()

    async def aclose(self) -> None:
        await self._stream.aclose()


class Wrapping(httpx.AsyncHTTPTransport):
    async def handle_async_request(self, request: Any) -> Any:
        response = await super().handle_async_request(request)
        response.stream = Passing(response.stream)
        return response


def test_streams_of_other_makes_are_read_as_ever(taken):
    with server((WHOLE,)) as (url, _):
        assert read_asyncio(url, transport=Wrapping()) == [b"ABCDEFG"]
    made = httpx.MockTransport(lambda _: httpx.Response(200, content=Passing(_Given())))
    assert read_asyncio("http://a.example", transport=made) == [b"ABC"]
    assert taken == [False, False]


def test_a_body_that_was_read_in_part_is_read_as_ever(taken):
    pause = threading.Event()
    script = (HEAD, b"5\r\nab", partial(pause.wait, 60), b"cde\r\n2\r\nfg\r\n0\r\n\r\n")
    with server(script, (WHOLE,)) as (url, over), httpx.Client() as client:
        response = client.send(client.build_request("POST", url), stream=True)
        parts = iter(response.stream)
        first = next(parts)
        pause.set()
        assert first + b"".join(reads(opened(response))) == b"abcdefg"
        response.close()
        assert client.post(url).content == b"abcdefg"
    assert taken == [False]
    assert over == [0, 0]


def test_a_connection_with_a_method_of_its_own_is_read_as_ever(taken):
    opening = threading.Event()
    seen: list[bytes] = []
    with server((HEAD, partial(opening.wait, 60), BODY + b"0\r\n\r\n")) as (url, _), httpx.Client() as client:
        response = client.send(client.build_request("POST", url), stream=True)
        network = response.extensions["network_stream"]
        original = network.read

        def read_and_keep(*arguments: Any, **options: Any) -> bytes:
            seen.append(original(*arguments, **options))
            return seen[-1]

        network.read = read_and_keep
        opening.set()
        assert b"".join(reads(opened(response))) == b"abcdefg"
        response.close()
    assert taken == [False]
    assert b"".join(seen) == BODY + b"0\r\n\r\n"


def test_a_body_that_the_transport_traces_is_read_as_ever(taken):
    told: list[str] = []

    async def trace(name: str, _: Any) -> None:
        told.append(name)

    async def main(url: str) -> bytes:
        async with httpx.AsyncClient() as client:
            request = client.build_request("POST", url, extensions={"trace": trace})
            response = opened(await client.send(request, stream=True))
            return b"".join([part async for part in areads(response)])

    with server((WHOLE,)) as (url, _):
        assert asyncio.run(main(url)) == b"abcdefg"
    assert taken == [False]
    assert "http11.receive_response_body.started" in told


def test_a_body_is_read_as_usual_if_direct_reading_is_off(read, taken, monkeypatch):
    monkeypatch.setattr(CONFIG, "_direct", False)
    with server((WHOLE,)) as (url, _):
        assert read(url) == [b"abcdefg"]
    assert taken == []
