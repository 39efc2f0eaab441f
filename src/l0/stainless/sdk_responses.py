"""The transport's response object, which the user holds while attempts come and go behind it."""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import suppress
from functools import lru_cache, partial
from math import inf
from time import perf_counter
from types import FrameType, ModuleType
from typing import Any, NoReturn
from weakref import ref

from l0.config import CONFIG
from l0.runtime.async_deadlines import deadline_reads
from l0.runtime.call_runtime import CallRuntime
from l0.runtime.close_on_loop import close_on_loop, current_loop
from l0.runtime.connection_use import ConnectionUse
from l0.runtime.deadlines import FixedDeadline
from l0.runtime.finalizers import interrupted
from l0.runtime.watchdog import WATCHDOG, BoundedReads, Expired, ReadDeadline

from .direct_bodies import adirect_reads, aprove, direct_reads
from .recorded_stream import RecordedByteStream
from .send_deadlines import Timeouts
from .unchecked_bodies import warn_unchecked

_USER, _READING, _RELEASED = ConnectionUse.USER, ConnectionUse.READING, ConnectionUse.RELEASED
_BELOW_CALLER = ("l0", "httpx", "httpx2", "contextlib")
"""Packages whose frames lie between a response's stream and the SDK or the user who closes it."""
_CLOSING_METHODS = ("close", "aclose", "__exit__", "__aexit__")
"""Methods of an SDK's objects by which the user closes them."""
_MAX_PARSED_BYTES = 2**20
"""Bytes of a complete answer that are kept for its metadata. A user who streams a longer one wants to save memory."""
_READ_ON_S = 0.1
"""Seconds to read on after one of the SDK's helpers raised an exception while it read a body."""


class ObservedByteStream:
    """The response's byte stream, which observes its own end: read to its end, closed, or dropped.

    A call learns here that its user stopped, because every way to stop ends in this stream.
    """

    inner: Any
    runtime: CallRuntime | None
    stream_observer: Any
    extensions: Any
    """The response's extensions, which contain its connection."""
    request: Any
    """The transport's request, if there was one."""
    ended = reading_stopped = closed = False
    """``ended``: read to its end. ``reading_stopped``: no longer read, for any reason."""
    body_parts: list[bytes] | None = None
    """The parts read so far of a complete answer that the user reads; metadata is taken from them at the end. ``None``
    if the answer streams, or is longer than ``_MAX_PARSED_BYTES``."""
    size = 0
    """Bytes in ``body_parts``."""
    make_response: Callable[..., Any]
    loop: Any = None
    """The event loop of an async connection."""
    shared_reads: Callable[[], Any] | None = None
    """A weak reference to the driver's iterator over the body, since the iterator may hold the response."""

    def __iter__(self) -> Iterator[bytes]:
        self._check_reader()
        try:
            for part in self._bounded():
                self._store(part)
                yield part
            self.ended = True
        finally:
            self.reading_stopped = True

    async def __aiter__(self) -> AsyncIterator[bytes]:
        self._check_reader()
        try:
            async for part in self._abounded():
                self._store(part)
                yield part
            self.ended = True
        finally:
            self.reading_stopped = True

    def _check_reader(self) -> None:
        """Warn if the user reads the body, and the policy has rules for it."""
        if self.runtime is not None and self.runtime.connection is _USER:
            warn_unchecked(self.runtime)

    def _deadline(self) -> float:
        """The time at which `Timeout.total` ends the reads of the body's user; ``inf`` for never."""
        runtime = self.runtime
        return (
            inf
            if runtime is None or runtime.connection is _READING or runtime.deadlines is None
            else runtime.deadlines.total_at
        )

    def _bounded(self) -> Iterator[bytes]:
        deadline = self._deadline()
        read_deadline = _read_deadline(self.extensions, self.request) if deadline < inf else None
        if read_deadline is None:
            return iter(self.inner)
        return self._by_deadline(BoundedReads(iter(self.inner).__next__, read_deadline, FixedDeadline(deadline)))

    def _by_deadline(self, reads: BoundedReads) -> Iterator[bytes]:
        try:
            while True:
                yield reads.read()
        except StopIteration:
            return
        except Expired as expired:
            self._raise_overdue(expired)
        finally:
            reads.close()

    def _abounded(self) -> AsyncIterator[bytes]:
        deadline = self._deadline()
        if deadline == inf:
            return aiter(self.inner)
        return self._aby_deadline(aiter(self.inner), deadline)

    async def _aby_deadline(self, source: AsyncIterator[bytes], deadline: float) -> AsyncIterator[bytes]:
        reads = deadline_reads(source.__anext__, FixedDeadline(deadline))
        try:
            while True:
                yield await reads.read()
        except StopAsyncIteration:
            return
        except Expired as expired:
            self._raise_overdue(expired)
        finally:
            reads.close()

    def _raise_overdue(self, expired: Expired) -> NoReturn:
        runtime = self.runtime
        cause = expired.__cause__ or expired
        raise (cause if runtime is None else runtime.overdue_for_user(cause)) from expired.__cause__

    def _store(self, part: bytes) -> None:
        if self.body_parts is None:
            return
        self.size += len(part)
        if self.size > _MAX_PARSED_BYTES:
            self.body_parts = None
        else:
            self.body_parts.append(part)

    def close(self) -> None:
        """Close the stream. The caller is the user, the transport at the end of the body, or the engine."""
        self.closed = True
        by_user = self._closed_by_user()
        reading = by_user and self.runtime is not None and self.runtime.connection is _READING
        try:
            error = _helper_error(self) if by_user and not interrupted() else None
            if error is not None:
                self._read_rest()
            self._over(error, by_user=by_user)
        finally:
            if reading:
                abort(self.extensions)  # another thread is in the middle of a read, which closing does not end
            self.inner.close()

    async def aclose(self) -> None:
        """As `close`."""
        self.closed = True
        by_user = self._closed_by_user()
        try:
            error = _helper_error(self) if by_user and not interrupted() else None
            if error is not None:
                await self._aread_rest()
            self._over(error, by_user=by_user)
        finally:
            await self.inner.aclose()

    def _read_rest(self) -> None:
        """Read on for a moment after a helper raised: the provider reports the billed tokens at the end of the body."""
        runtime, until = self.runtime, perf_counter() + _READ_ON_S
        chunks = self.shared_reads() if self.shared_reads is not None else None
        if runtime is None or chunks is None or runtime.answer.read_to_end:
            return
        deadline = _read_deadline(self.extensions, self.request)
        if deadline is None or not WATCHDOG.arm(deadline, until):
            return
        try:
            for raw in chunks:
                runtime.answer.read_unseen(raw)
                if runtime.answer.read_to_end or perf_counter() > until:
                    break
        except Exception:  # the user gets the helper's exception
            pass
        finally:
            deadline.over = True

    async def _aread_rest(self) -> None:
        """As `_read_rest`."""
        runtime, until = self.runtime, perf_counter() + _READ_ON_S
        chunks = self.shared_reads() if self.shared_reads is not None else None
        if runtime is None or chunks is None or runtime.answer.read_to_end:
            return
        import anyio  # a dependency of both SDKs

        with suppress(Exception), anyio.move_on_after(_READ_ON_S):
            async for raw in chunks:
                runtime.answer.read_unseen(raw)
                if runtime.answer.read_to_end or perf_counter() > until:
                    break

    def _closed_by_user(self) -> bool:
        """Return True if it is the user who closes, and not the transport or the SDK's loop at the end of a body."""
        runtime = self.runtime
        if runtime is None or runtime.connection is _RELEASED or self.ended:
            return False
        if runtime.connection is _USER:
            return True
        sdk: Any = getattr(runtime.call_adapter, "sdk", None)
        return not (self.reading_stopped or (sdk is not None and _by_sdk(sdk.root)))

    def _over(self, error: Exception | None, *, by_user: bool) -> None:
        """End the call before its connection closes: a read that fails because of that must find the call ended.

        ``error``: the exception that the SDK's helper is raising, if any. ``by_user``: True if the user closes.
        """
        runtime = self.runtime
        if runtime is None:
            return
        if by_user:
            if error is not None:
                runtime.leave(error)
            else:
                runtime.close()
        elif self.ended and runtime.connection is not _READING:
            runtime.consumed(self._json() if self.body_parts else None)

    def _json(self) -> object:
        """Return the JSON of the body that the user read; ``None`` if it is not JSON."""
        try:
            return self.make_response(content=b"".join(self.body_parts or ())).json()
        except Exception:  # the user has the body, whatever it is
            return None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def __del__(self) -> None:
        runtime = self.__dict__.get("runtime")
        if runtime is None or runtime.connection is not _USER:  # the driver closes the connection
            return
        if sys.is_finalizing():
            return
        # Nobody else closes the connection of a stream that nobody has read.
        if self.closed:
            runtime.abandon()
        elif self.loop is not None:
            runtime.abandon(partial(close_on_loop, self.loop, self.inner.aclose))
        else:
            runtime.abandon(getattr(self.inner, "close", None))


def _helper_error(body: ObservedByteStream) -> Exception | None:
    """Return the exception of one of the SDK's helpers that closes this body now; ``None`` without one.

    A helper (``.stream()``) parses what it reads, in a frame that holds the stream. An exception from the user's own
    loop has no such frame, and one from another call has a frame that holds another stream.
    """
    error = sys.exception()
    sdk: Any = getattr(getattr(body.runtime, "call_adapter", None), "sdk", None)
    trail = error.__traceback__ if isinstance(error, Exception) else None
    while trail is not None and sdk is not None:
        frame = trail.tb_frame
        package = str(frame.f_globals.get("__name__")).partition(".")[0]
        if package == sdk.root and _holds(frame.f_locals.get("self"), body):
            return error  # type: ignore[return-value]  # only exceptions have a trail here
        trail = trail.tb_next
    return None


def _holds(owner: Any, body: ObservedByteStream) -> bool:
    """Return True for a helper or a stream of the SDK that reads this body."""
    try:
        stream = getattr(owner, "_raw_stream", owner)
        return getattr(getattr(stream, "response", None), "stream", None) is body
    except Exception:  # a subclass of the user that computes its attributes
        return False


def _by_sdk(sdk: str) -> bool:
    """Return True if the SDK's own loop, left in place, closes the response."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        package = str(frame.f_globals.get("__name__")).partition(".")[0]
        if package not in _BELOW_CALLER:
            name = frame.f_code.co_name
            if package != sdk or name in _CLOSING_METHODS:
                return False
            if name == "__stream__":
                return True
        frame = frame.f_back
    return False


class PeekedByteStream:
    """A body whose beginning is read ahead. The user gets the beginning as well, so nothing is lost.

    ``record``: receives what is read ahead; ``None`` if calls are not recorded.
    """

    inner: Any
    source: Any
    body_parts: list[bytes]
    record: Callable[[bytes], None] | None

    def __iter__(self) -> Iterator[bytes]:
        yield from self._beginning()
        # `yield from` would close the source as well, which fails while the garbage collector closes it elsewhere.
        for part in self.source:  # noqa: UP028
            yield part

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for part in self._beginning():
            yield part
        async for part in self.source:
            yield part

    def ahead(self) -> Iterator[bytes]:
        """Yield the parts of the body, and keep them for the user."""
        for part in self.source:
            self._keep(part)
            yield part

    async def aahead(self) -> AsyncGenerator[bytes, None]:
        """As `ahead`."""
        async for part in self.source:
            self._keep(part)
            yield part

    def _keep(self, part: bytes) -> None:
        if self.record is not None:
            self.record(part)
        self.body_parts.append(part)

    def _beginning(self) -> Iterator[bytes]:
        while self.body_parts:
            yield self.body_parts.pop(0)

    def close(self) -> None:
        """Close the connection."""
        self.inner.close()

    async def aclose(self) -> None:
        """As `close`."""
        await self.inner.aclose()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


@lru_cache(maxsize=64)
def _flavoured(kind: type, inner: type, transport: ModuleType) -> type:
    """Return a subclass of ``kind`` that the transport accepts as a sync or async stream, as it accepts ``inner``."""
    flavours = [
        flavour for flavour in (transport.SyncByteStream, transport.AsyncByteStream) if issubclass(inner, flavour)
    ]
    return type(kind.__name__, (kind, *flavours), {"__module__": __name__, "__doc__": kind.__doc__})


def peek(
    response: Any, transport: ModuleType, record: Callable[[bytes], None] | None = None
) -> PeekedByteStream | None:
    """Replace the body of ``response`` by one that can be read ahead, and return it. Return ``None`` if the body is
    compressed, closed or read.

    ``record``: as in `PeekedByteStream`.
    """
    if response.is_closed or response.is_stream_consumed or response.headers.get("content-encoding"):
        return None
    inner = response.stream
    kind: Any = inner.__class__  # not `type`: the stream may be a proxy of another library
    ahead: PeekedByteStream = object.__new__(_flavoured(PeekedByteStream, kind, transport))
    ahead.inner, ahead.body_parts, ahead.record = inner, [], record
    ahead.source = aiter(inner) if isinstance(inner, transport.AsyncByteStream) else iter(inner)
    response.stream = ahead
    return ahead


def observe_body(response: Any, transport: ModuleType, runtime: CallRuntime) -> None:
    """Wrap the body of ``response`` in an `ObservedByteStream`."""
    stream = response.stream
    inner = _recorded(response, transport, runtime)
    kind: Any = inner.__class__  # not `type`: the stream may be a proxy of another library
    wrapper: Any = object.__new__(_flavoured(ObservedByteStream, kind, transport))
    wrapper.inner, wrapper.runtime, wrapper.extensions = inner, runtime, response.extensions
    wrapper.request = getattr(response, "_request", None)
    # anthropic reads this at every event; an attribute that exists is found many times faster than a missing one.
    wrapper.stream_observer = getattr(stream, "stream_observer", None)
    is_json = response.headers.get("content-type", "").startswith("application/json")
    if is_json and (runtime.observers.observed or runtime.recording is not None):
        wrapper.body_parts = []
        wrapper.make_response = partial(transport.Response, response.status_code, headers=response.headers)
    if isinstance(inner, transport.AsyncByteStream):
        wrapper.loop = current_loop()
    response.stream = wrapper


def _recorded(response: Any, transport: ModuleType, runtime: CallRuntime) -> Any:
    """Return the body of ``response``, recorded if calls are."""
    inner = response.stream
    if runtime.recording is None:
        return inner
    runtime.recording.head(runtime.number, response)
    recorded: Any = object.__new__(_flavoured(RecordedByteStream, inner.__class__, transport))
    recorded.inner, recorded.recording, recorded.number = inner, runtime.recording, runtime.number
    ahead = runtime.call.policy.hedge and isinstance(inner, PeekedByteStream)
    recorded.known = len(inner.body_parts) if ahead else 0
    return recorded


def runtime_of(response: Any) -> CallRuntime | None:
    """Return the runtime that a response belongs to; ``None`` if it is not part of a call of the engine."""
    stream = getattr(response, "stream", None)
    return stream.runtime if isinstance(stream, ObservedByteStream) else None


def detach(response: Any, transport: ModuleType, runtime: CallRuntime) -> Any:
    """Detach ``response`` from its connection between two attempts, so that the user can still close it.

    Return the stream of the attempt that is over, to be closed; ``None`` if it is closed already.
    """
    ended, over = response.stream, response.is_closed
    if isinstance(ended, ObservedByteStream):
        ended.runtime = None
    response.stream = transport.ByteStream(b"")
    observe_body(response, transport, runtime)
    response.is_closed = False
    return None if over else ended


def adopt(response: Any, fresh: Any) -> None:
    """Move the state of a new attempt's response into the response object that the user holds."""
    if isinstance(response.stream, ObservedByteStream):
        response.stream.runtime = None
    response.__dict__.clear()
    response.__dict__.update(fresh.__dict__)


def _plain(response: Any) -> bool:
    """Return True if the body can be read raw: not compressed, and not read before."""
    return (
        isinstance(response.stream, ObservedByteStream)
        and not response.is_closed
        and not response.is_stream_consumed
        and not response.headers.get("content-encoding")
    )


def _reader_of(response: Any) -> Any:
    """Return a separate response object over the same stream, for reading one attempt.

    The transport closes the response that it iterates when the iteration ends, even if the garbage collector ends it.
    By then the object that the user holds may show a later attempt, and such a close is not the user's.
    """
    reader = object.__new__(type(response))
    reader.__dict__.update(response.__dict__)
    response.is_stream_consumed = True
    return reader


def share_reads(response: Any, chunks: Any) -> None:
    """Let the body of ``response`` read on through ``chunks``, the driver's iterator, when a helper raises over it."""
    if isinstance(response.stream, ObservedByteStream):
        with suppress(TypeError):  # an iterator of a foreign transport that allows no weak references
            response.stream.shared_reads = ref(chunks)


def reads(response: Any) -> Iterator[bytes]:
    """Return the raw reads of a body. If nothing must be decoded, bypass the transport's decoder for speed."""
    if not _plain(response):
        return iter(_reader_of(response).iter_bytes())
    response.is_stream_consumed = True
    inner = response.stream.inner
    if not CONFIG.direct:
        return iter(inner)
    return inner.record(direct_reads(inner.inner)) if isinstance(inner, RecordedByteStream) else direct_reads(inner)


def areads(response: Any) -> AsyncIterator[bytes]:
    """As `reads`."""
    if not _plain(response):
        return aiter(_reader_of(response).aiter_bytes())
    response.is_stream_consumed = True
    inner = response.stream.inner
    if not CONFIG.direct:
        return aiter(inner)
    return inner.arecord(adirect_reads(inner.inner)) if isinstance(inner, RecordedByteStream) else adirect_reads(inner)


async def prove_reads(response: Any) -> None:
    """Run the proof of direct reading before the first read of a body, because it takes time."""
    if CONFIG.direct and _plain(response):
        inner = response.stream.inner
        source = inner.inner if isinstance(inner, RecordedByteStream) else inner
        await aprove(source, type(response.extensions.get("network_stream")))


def read_deadline(response: Any) -> ReadDeadline | None:
    """Return a deadline for reads of the response; ``None`` if L0 cannot end such a read."""
    return _read_deadline(response.extensions, getattr(response, "_request", None))


def _read_deadline(extensions: Any, request: Any) -> ReadDeadline | None:
    if _shared(extensions):
        timeouts = request.extensions.get("timeout") if request is not None else None
        return timeouts.flight.reading() if isinstance(timeouts, Timeouts) else None
    return _socket_deadline(extensions)


def _shared(extensions: Any) -> bool:
    """Return True if the connection can carry other streams (HTTP/2)."""
    return extensions.get("http_version", b"HTTP/1.1") not in (b"HTTP/1.1", b"HTTP/1.0")


def _socket_deadline(extensions: Any) -> ReadDeadline | None:
    network = extensions.get("network_stream")
    socket = network.get_extra_info("socket") if network is not None else None
    return ReadDeadline(socket) if socket is not None and hasattr(socket, "shutdown") else None


def abort(extensions: Any) -> None:
    """Shut down the socket of a response that another thread is reading."""
    with suppress(Exception):  # a connection that is closed already
        read_deadline = None if _shared(extensions) else _socket_deadline(extensions)
        if read_deadline is not None:
            read_deadline.fire()
