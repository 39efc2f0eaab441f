"""Connect a cassette with the transports of httpx and httpx2, which the SDKs use.

The transports are reached by name, so that L0 does not import them, and only while a test with a cassette runs.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any

import pytest

from .cassette import Cassette
from .cassette_entry import CassetteEntry, Headers
from .cassette_playback import CassettePlayback
from .cassette_tape import CassetteTape

_TRANSPORTS = ("httpx", "httpx2")
_AGAIN = "--l0-record=all records the test again."
_LEAVES = (
    "A test that leaves or cancels a call itself needs the fixture l0_simulator: played answers come at once, so it "
    "would leave at another point."
)


@contextmanager
def connected(cassette: Cassette) -> Iterator[None]:
    """Send every request of httpx and httpx2 through a cassette until the block ends."""
    with pytest.MonkeyPatch.context() as patch:
        for transport in [import_module(name) for name in _TRANSPORTS if find_spec(name) is not None]:
            handlers = _Handlers(cassette, transport)
            patch.setattr(transport.HTTPTransport, "handle_request", handlers.sync_handler())
            patch.setattr(transport.AsyncHTTPTransport, "handle_async_request", handlers.async_handler())
        yield


class _Handlers:
    """Makes the functions that replace those of one transport and send its requests through a cassette."""

    def __init__(self, cassette: Cassette, transport: ModuleType) -> None:
        self._cassette = cassette
        self._transport = transport

    def sync_handler(self) -> Callable[[Any, Any], Any]:
        """Return a replacement of `HTTPTransport.handle_request`."""
        send = self._transport.HTTPTransport.handle_request

        def handle_request(transport: Any, request: Any) -> Any:
            if request.url.host in self._cassette.options.ignore_hosts:
                return send(transport, request)
            sent = request.method, str(request.url), _headers(request), request.read()
            entry = self._cassette.play(*sent)
            if entry is not None:
                playback = self._playback(entry, request)
                for wait_s, _ in playback.head():
                    time.sleep(wait_s)
                return self._answer(playback, _PlayedStream)
            tape = self._recording(request, sent)
            try:
                response = send(transport, request)
            except Exception as error:
                tape.end("gave_up" if _has_expired(request) else "error", error)
                raise
            if "network_stream" in response.extensions:
                watched = _WatchedConnection(response.extensions["network_stream"], tape)
                response.extensions = {**response.extensions, "network_stream": watched}
            return _taped(response, tape, request, _TapedStream, self._transport.SyncByteStream)

        return handle_request

    def async_handler(self) -> Callable[[Any, Any], Any]:
        """Return a replacement of `AsyncHTTPTransport.handle_async_request`."""
        send = self._transport.AsyncHTTPTransport.handle_async_request

        async def handle_async_request(transport: Any, request: Any) -> Any:
            if request.url.host in self._cassette.options.ignore_hosts:
                return await send(transport, request)
            sent = request.method, str(request.url), _headers(request), await request.aread()
            entry = self._cassette.play(*sent)
            if entry is not None:
                playback = self._playback(entry, request)
                for wait_s, _ in playback.head():
                    await _sleep(wait_s)
                return self._answer(playback, _AsyncPlayedStream)
            tape = self._recording(request, sent)
            try:
                response = await send(transport, request)
            except Exception as error:
                tape.end("error", error)
                raise
            except BaseException:  # a cancellation
                tape.end("gave_up")
                raise
            return _taped(response, tape, request, _AsyncTapedStream, self._transport.AsyncByteStream)

        return handle_async_request

    def _playback(self, entry: CassetteEntry, request: Any) -> CassettePlayback:
        cassette = self._cassette
        recorded = f"The client of the recording of {entry.request.method} {entry.request.url} in {cassette.path}"
        return CassettePlayback(
            answer=entry.answer,
            speed=cassette.options.speed,
            transport=self._transport,
            read_timeout_s=request.extensions.get("timeout", {}).get("read"),
            ended_early=lambda: cassette.fail(
                f"{recorded} closed the answer here, but this client reads more. {_LEAVES} Otherwise {_AGAIN}"
            ),
            silent=lambda waited_s, silences_s: cassette.silence(
                f"{recorded} stopped waiting here, {waited_s:.1f} s after the request, but this client waits longer. "
                f"{_LEAVES} Otherwise {_AGAIN}",
                waited_s,
                silences_s,
            ),
        )

    def _answer(self, playback: CassettePlayback, stream: Any) -> Any:
        base = "SyncByteStream" if stream is _PlayedStream else "AsyncByteStream"
        answer = playback.answer
        return self._transport.Response(
            status_code=answer.status,
            headers=list(answer.headers),
            stream=_subclass(stream, getattr(self._transport, base))(playback),
            extensions={"http_version": b"HTTP/1.1"},
        )

    def _recording(self, request: Any, sent: tuple[str, str, Headers, bytes]) -> CassetteTape:
        request.headers["accept-encoding"] = "identity"  # a compressed answer could not be reviewed
        return self._cassette.record(*sent)


class _TapedStream:
    """A body that is recorded while it is read."""

    def __init__(self, stream: Any, tape: CassetteTape, request: Any) -> None:
        self._stream = stream
        self._tape = tape
        self._request = request

    def __iter__(self) -> Iterator[bytes]:
        try:
            for part in self._stream:
                self._tape.read(part)
                yield part
        except Exception as error:
            self._tape.end("gave_up" if _has_expired(self._request) else "error", error)
            raise
        self._tape.end("eof")

    def close(self) -> None:
        self._tape.end("closed")
        self._stream.close()


class _AsyncTapedStream:
    """An async body that is recorded while it is read."""

    def __init__(self, stream: Any, tape: CassetteTape, _: Any) -> None:
        self._stream = stream
        self._tape = tape

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for part in self._stream:
                self._tape.read(part)
                yield part
        except Exception as error:
            self._tape.end("error", error)
            raise
        except GeneratorExit:  # closed between two reads
            raise
        except BaseException:  # a cancellation
            self._tape.end("gave_up")
            raise
        self._tape.end("eof")

    async def aclose(self) -> None:
        self._tape.end("closed")
        await self._stream.aclose()


class _Watched:
    """A part of an answer's connection, with the tape that a subclass writes to. Other attributes are its own."""

    def __init__(self, watched: Any, tape: CassetteTape) -> None:
        self._watched = watched
        self._tape = tape

    def __getattr__(self, name: str) -> Any:
        return getattr(self._watched, name)


class _WatchedConnection(_Watched):
    """The network stream of an answer. If its client shuts down the socket to end a read, the tape says so."""

    def get_extra_info(self, info: str) -> Any:
        found = self._watched.get_extra_info(info)
        return _WatchedSocket(found, self._tape) if info == "socket" and hasattr(found, "shutdown") else found


class _WatchedSocket(_Watched):
    """The socket of a `_WatchedConnection`."""

    def shutdown(self, how: int) -> None:
        self._tape.end("gave_up")
        self._watched.shutdown(how)


def _has_expired(request: Any) -> bool:
    """Return True if a deadline of L0 has ended a sync request: it reduces the timeouts, and shuts the socket down."""
    flight = getattr(request.extensions.get("timeout"), "flight", None)
    return flight is not None and bool(flight.expired)


class _PlayedStream:
    """A recorded body."""

    def __init__(self, playback: CassettePlayback) -> None:
        self._playback = playback

    def __iter__(self) -> Iterator[bytes]:
        for wait_s, part in self._playback.body():
            time.sleep(wait_s)
            if part is not None:
                yield part


class _AsyncPlayedStream:
    """A recorded body for an async client."""

    def __init__(self, playback: CassettePlayback) -> None:
        self._playback = playback

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for wait_s, part in self._playback.body():
            await _sleep(wait_s)
            if part is not None:
                yield part


@cache
def _subclass(stream: Any, base: Any) -> Any:
    """Return a stream class as a subclass of the transport's ``base``: the transport's clients accept nothing else."""
    return type(stream.__name__, (stream, base), {})


def _taped(response: Any, tape: CassetteTape, request: Any, stream: Any, base: Any) -> Any:
    tape.head(response.status_code, tuple(response.headers.multi_items()))
    response.stream = _subclass(stream, base)(response.stream, tape, request)
    return response


def _headers(request: Any) -> Headers:
    return tuple(request.headers.multi_items())


async def _sleep(seconds: float) -> None:
    """Sleep on the running event loop, asyncio's or trio's. Both transports depend on anyio."""
    await import_module("anyio").sleep(seconds)
