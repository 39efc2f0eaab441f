"""Record one call. Every method only appends to a queue, because it may run in a finalizer or a signal handler."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from time import perf_counter
from typing import Any, Protocol

from l0.engine.machine import Admission, Machine
from l0.model.attempt import AttemptSpec
from l0.model.call import Call, Outcome
from l0.model.error_types import connection_error
from l0.model.failure import Failure
from l0.shared_state.termination import FLUSHES, SigtermFlush

from .recorded_machine import RecordedMachine
from .recording_codec import Unrecorded, name_of
from .recording_events import (
    Append,
    AttemptBegan,
    AttemptEnding,
    BodyEnded,
    CallOver,
    Delivered,
    Exchanged,
    Read,
)


class Memory(Protocol):
    """The part of a recorder that limits its memory. All its calls share it. The fields: see `FlightRecorder`."""

    waiting_bytes: int
    stopped: bool
    options: Any
    sigterm: SigtermFlush

    def over_limit(self) -> None: ...


class CallRecorder:
    """The recorder of one call."""

    __slots__ = (
        "_append",
        "_base_url",
        "_detached",
        "_exchanged",
        "_memory",
        "chars",
        "id",
        "incomplete",
        "items",
        "reads",
    )

    def __init__(self, id_: str, memory: Memory, append: Append) -> None:
        self.id = id_
        self.incomplete = False
        self._append = append
        self._base_url: object = ""
        self._memory = memory
        self._detached: tuple[Failure, Failure] | None = None
        """The latest failure, and the same without its exception."""
        self._exchanged: tuple[int, ...] = ()
        """The attempts whose request is recorded."""
        self.reads = False
        """True if reads of the answer are recorded: each delivery is then recorded with the read after it."""
        self.items = self.chars = 0
        """The items and characters that the user has got so far, as in `Delivered`."""

    def machine(
        self, call: Call, rand: Callable[[], float], backoff: Callable[[int, Failure], float], admission: Admission
    ) -> Machine:
        """Return a machine that records its steps."""
        return RecordedMachine(call, rand, backoff, admission, self.id, self._append, self._without_error)

    def _without_error(self, failure: Failure) -> Failure:
        """Return a failure without its exception, whose traceback would keep the user's stream alive.

        If content is kept, the text of the exception becomes the ``detail``.
        """
        error, known = failure.error, self._detached
        if error is None:
            return failure
        if known is None or known[0] is not failure:
            detail = failure.detail
            with suppress(Exception):  # an exception of the application
                detail = (detail or str(error)) if self._memory.options.content else ""
            cause = connection_error(error)
            named: Any = Unrecorded(name_of(error), "" if cause is None else cause.__name__)
            self._detached = known = failure, replace(failure, error=named, detail=detail)
        return known[1]

    def sending(self, spec: AttemptSpec, options: Any, base_url: object, at: float) -> None:
        """Record that a request is about to be sent. ``base_url``: an object whose `str` is the URL."""
        self._base_url = base_url
        self._append((AttemptBegan, self.id, at, spec, options, base_url))

    def head(self, number: int, response: Any) -> None:
        """Record a request and the head of its ``response``, an object of the transport, at most once per attempt."""
        if number not in self._exchanged:
            self._exchange(number, getattr(response, "_request", None), response)

    def _exchange(self, number: int, request: Any, response: Any, *, decoded: bool = False) -> None:
        """Record a request and a head. ``decoded``: the recorded body will be without its content encoding."""
        if request is None:
            return
        self._exchanged += (number,)
        self.reads = True
        body: bytes | None
        try:
            body = self._counted(request.content)
        except Exception:  # a body that streams, which the transport does not keep
            body = None
        status, received = (None, ()) if response is None else (response.status_code, response.headers.raw)
        sent = request.headers.raw  # a copy, as the user may change the headers
        at = perf_counter()
        self._append(
            (Exchanged, self.id, at, number, request.method, request.url, sent, body, status, received, decoded)
        )

    def answered(self, number: int, response: Any) -> None:
        """Record a complete answer: its ``response``, and its body as one read."""
        try:
            if number not in self._exchanged:
                self._exchange(number, getattr(response, "_request", None), response, decoded=True)
            self.read(number, response.content)
            self.body_ended(number, "eof")
        except Exception:  # a response of a middleware
            return

    def failed(self, number: int, error: BaseException | None) -> None:
        """Record the request, and the answer, of an attempt that ``error`` ended before its body was attached.

        An attempt of the explicit API sends none itself: the call of the SDK that it makes has its own recording.
        """
        if error is None or number in self._exchanged or not str(self._base_url):
            return
        with suppress(Exception):  # exceptions of the SDKs and of the transports hold both, but not always
            response = getattr(error, "response", None)
            self._exchange(number, _request_of(error), response, decoded=True)
            if response is not None and response.is_stream_consumed:
                self.read(number, response.content)
                self.body_ended(number, "eof")

    def read(self, number: int, data: bytes) -> None:
        """Record one read of a body."""
        memory = self._memory
        waiting = memory.waiting_bytes
        if self.incomplete or waiting > memory.options.memory_bytes or memory.stopped:
            self._counted(data)
            return
        memory.waiting_bytes = waiting + len(data)
        self._append((Read, self.id, perf_counter(), number, data, self.items, self.chars, None))

    def body(self, number: int, parts: Iterator[bytes], known: int) -> Iterator[bytes]:
        """Yield the parts of a body, and record each of them.

        The code of `read` is repeated here, because a function call for each part would cost too much. ``known``: the
        number of parts that have been recorded already.
        """
        memory, append, id_ = self._memory, self._append, self.id
        limit = memory.options.memory_bytes
        ending = "closed"
        try:
            for _ in range(known):
                yield next(parts)
            began = perf_counter()
            for part in parts:
                waiting = memory.waiting_bytes
                if waiting > limit or self.incomplete or memory.stopped:
                    self._counted(part)
                else:
                    memory.waiting_bytes = waiting + len(part)
                    append((Read, id_, perf_counter(), number, part, self.items, self.chars, began))
                yield part
                began = perf_counter()
            ending = "eof"
        except Exception:
            ending = "error"
            raise
        finally:
            self.body_ended(number, ending)

    async def abody(self, number: int, parts: AsyncIterator[bytes], known: int) -> AsyncIterator[bytes]:
        """As `body`."""
        memory, append, id_ = self._memory, self._append, self.id
        limit = memory.options.memory_bytes
        ending = "closed"
        try:
            for _ in range(known):
                yield await anext(parts)
            began = perf_counter()
            async for part in parts:
                waiting = memory.waiting_bytes
                if waiting > limit or self.incomplete or memory.stopped:
                    self._counted(part)
                else:
                    memory.waiting_bytes = waiting + len(part)
                    append((Read, id_, perf_counter(), number, part, self.items, self.chars, began))
                yield part
                began = perf_counter()
            ending = "eof"
        except Exception:
            ending = "error"
            raise
        finally:
            self.body_ended(number, ending)
            if isinstance(parts, AsyncGenerator):
                await parts.aclose()  # else the garbage collector would, while the next attempt reads

    def _counted(self, data: bytes) -> bytes | None:
        """Count ``data`` as waiting, and return it. If the memory is full, return ``None``: the call is incomplete."""
        memory = self._memory
        if memory.waiting_bytes > memory.options.memory_bytes or memory.stopped:
            self.incomplete = True
            memory.over_limit()
            return None
        memory.waiting_bytes += len(data)
        return data

    def body_ended(self, number: int, ending: str) -> None:
        """Record the end of a body, as in `BodyEnded`."""
        self._append((BodyEnded, self.id, perf_counter(), number, ending))

    def attempt_ended(self, number: int, failure: Failure | None, at: float, *, lost: bool = False) -> None:
        """Record the end of an attempt."""
        failure = failure and self._without_error(failure)
        self._append((AttemptEnding, self.id, at, number, failure, lost, self.items, self.chars))

    def delivered(self, items: int, chars: int) -> None:
        """Count the items that the user gets. They are recorded with the next read or the end, without an event of
        their own: most reads are followed by a delivery."""
        self.items += items
        self.chars = chars
        # A source of the explicit API has no reads. Once the recorder has stopped, nobody takes events from the queue.
        if not self.reads and not self._memory.stopped:
            self._append((Delivered, self.id, perf_counter(), self.items, chars))

    def ended(self, outcome: Outcome, failure: Failure | None, at: float) -> None:
        """Record the end of the call."""
        failure = failure and self._without_error(failure)
        self._append((CallOver, self.id, at, outcome, failure, self.incomplete, self.items, self.chars))
        if FLUSHES:
            self._memory.sigterm.collected()


def _request_of(error: BaseException | None) -> Any:
    """Return the transport's request in a chain of exceptions."""
    while error is not None:
        with suppress(Exception):  # httpx raises if it has none
            request = error.request  # type: ignore[attr-defined]
            if request is not None:
                return request
        error = error.__cause__ or error.__context__
    return None
