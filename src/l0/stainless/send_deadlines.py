"""Enforce the deadline of a sync request while it is being sent.

A sync client blocks in system calls, each with a timeout that headers or a body that trickle in never exceed. So the
transport's timeouts are reduced, phase by phase, to the time that remains; and once the connection is known, the
watchdog can shut down its socket. The transport's ``trace`` extension reports the phases, as events of httpcore that
are part of its interface. Nothing here runs for calls without a deadline.

Two things are not limited: work without a connection (resolving a host name, a user's function that the SDK calls), and
a shared HTTP/2 connection on which nothing arrives at all. `UnenforcedLimit` warns about the latter.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from math import inf
from time import perf_counter
from typing import Any

from l0.runtime.watchdog import WATCHDOG, Expired, ReadDeadline

from .current_flight import FLIGHT
from .unenforced_limit import UnenforcedLimit

_MAX_FRAMES = 8
"""The maximum number of stack frames between a connection and the function that receives its trace events."""


class Flight:
    """One request in flight, until its answer: the headers of a stream, else the complete answer.

    ``late``: the deadline prevented the start of a phase. ``shut``: the connection was shut down. ``_shared``: the
    connection if it is HTTP/2, which other requests may use as well; else ``None``. ``_reads``: the read deadline of an
    answer over HTTP/2. ``_copy``: the duplicate of the socket during a TLS handshake.
    """

    def __init__(self, deadline: float, unenforced_limit: UnenforcedLimit) -> None:
        self.late = self.shut = False
        self._unenforced_limit = unenforced_limit
        self._deadline = deadline
        self._reads: ReadDeadline | None = None
        self._finished = False
        self._lock = threading.Lock()
        self._socket: Any = None
        self._copy: Any = None
        self._shared: Any = None

    def follow(self, request: Any) -> None:
        """Make the transport trace ``request``, and apply the deadline to each of its phases."""
        extensions = request.extensions
        request.extensions = {
            **extensions,
            "timeout": Timeouts(extensions.get("timeout") or {}, self),
            "trace": _trace_both(self._trace, extensions.get("trace")),
        }

    def finish(self) -> bool:
        """End the flight after an answer or a failure: never shut the connection again. Return True if it was shut."""
        with self._lock:
            self._finished = True
            self._socket = None
            self._release_copy()
            return self.shut

    def reading(self) -> ReadDeadline | None:
        """Return the read deadline of an answer over HTTP/2; ``None`` if the answer has its own connection."""
        if self._shared is None:
            return None
        self._unenforced_limit.thread = threading.get_ident()
        self._reads = ReadDeadline(_Shared(self._shared, self._unenforced_limit))
        return self._reads

    @property
    def expired(self) -> bool:
        """True if the deadline has ended the request, or a read of its answer over HTTP/2."""
        if self._finished:
            return self.late or self.shut or (self._reads is not None and self._reads.fired)
        return self.late or self.shut or perf_counter() >= self._deadline

    # -- in the thread that sends -----------------------------------------------------------------------------------

    def seconds_left(self, phase: str, own: float | None) -> float | None:
        """Return the seconds that a phase may take; ``None`` for no limit. Raises `Expired` if none remain.

        ``phase``: a key of the transport's timeouts, such as ``read``. ``own``: the SDK's timeout for it.
        """
        if self._finished and self._reads is None:
            return own
        deadline = self._deadline if self._reads is None else self._reads.deadline
        left = deadline - perf_counter()
        if left <= 0:
            self.late = True
            raise Expired
        if phase == "read" and self._shared is not None and not _serves_one_request(self._shared):
            return own  # httpcore drops the whole connection if one read times out
        if left == inf:
            return own
        return left if own is None else min(own, left)

    def _trace(self, name: str, info: dict[str, Any]) -> None:
        """Process a trace event of the transport."""
        if self._finished:
            return
        phase = name.rpartition(".")[0].rpartition(".")[2], name.rpartition(".")[2]
        match phase:
            case ("connect_tcp" | "connect_unix_socket" | "start_tls", "complete"):
                self._use(info.get("return_value"))
            case ("start_tls", "started"):
                self._keep_copy()
            case ("send_request_headers", "started"):
                connection = _sending_connection()
                if connection is not None:
                    self._shared = connection if hasattr(connection, "_h2_state") else None
                    self._use(connection._network_stream)
            case ("response_closed", "started"):
                self._use(None)

    def _use(self, stream: Any) -> None:
        found = stream.get_extra_info("socket") if stream is not None else None
        with self._lock:
            self._socket = found if hasattr(found, "shutdown") else None
            self._release_copy()

    def _keep_copy(self) -> None:
        """Duplicate the socket before TLS starts: ``ssl`` detaches it, and returns a new object after the handshake."""
        with self._lock:
            self._release_copy()
            if self._socket is not None:
                with suppress(OSError):
                    self._socket = self._copy = self._socket.dup()

    def _release_copy(self) -> None:
        copy, self._copy = self._copy, None
        if copy is not None:
            copy.close()

    # -- in the watchdog's thread -----------------------------------------------------------------------------------

    def fileno(self) -> int:
        """Return the descriptor of the current socket; -1 if there is none."""
        found = self._socket
        return -1 if found is None else int(found.fileno())

    def shutdown(self, how: int, /) -> bool:
        """Shut down the connection if there is one and no other call uses it. Return True if it was shut."""
        with self._lock:
            shared = self._shared is not None and not _serves_one_request(self._shared)
            if self._socket is not None and not shared:
                self.shut = True
                self._socket.shutdown(how)
                return True
        if shared:
            self._unenforced_limit.warn()
        return False


class _Shared:
    """A socket-like view of an HTTP/2 connection while one of its answers is read."""

    def __init__(self, connection: Any, unenforced_limit: UnenforcedLimit) -> None:
        self._connection = connection
        self._unenforced_limit = unenforced_limit

    def fileno(self) -> int:
        """Return -1 (unknown): readable bytes may belong to another call."""
        return -1

    def shutdown(self, how: int, /) -> bool:
        """As `Flight.shutdown`."""
        if _serves_one_request(self._connection):
            self._connection._network_stream.get_extra_info("socket").shutdown(how)
            return True
        self._unenforced_limit.warn()
        return False


def _serves_one_request(connection: Any) -> bool:
    """Return True if an HTTP/2 connection serves one request only. httpcore keeps a list of events per request."""
    events = getattr(connection, "_events", None)
    return isinstance(events, dict) and len(events) <= 1


def _sending_connection() -> Any:
    """Return the connection that sent the current trace event, from the stack; ``None`` if it is not found.

    The event does not name its connection, and a reused connection exposes its socket only with the response.
    """
    frame = sys._getframe(1)
    for _ in range(_MAX_FRAMES):
        if frame is None:
            return None
        connection = frame.f_locals.get("self")
        if hasattr(connection, "_network_stream"):
            return connection
        frame = frame.f_back  # type: ignore[assignment]
    return None


class Timeouts(dict[str, Any]):
    """The timeouts of one request, limited to the time that remains of its deadline."""

    def __init__(self, own: dict[str, Any], flight: Flight) -> None:
        super().__init__(own)
        self.flight = flight

    def get(self, key: str, default: Any = None) -> Any:
        return self.flight.seconds_left(key, super().get(key, default))

    def __getitem__(self, key: str) -> Any:
        return self.flight.seconds_left(key, super().__getitem__(key))


Trace = Callable[[str, dict[str, Any]], Any]


def is_own_trace(trace: Any) -> bool:
    """Return True if ``trace`` is a flight's alone, which ignores all events after the headers."""
    return getattr(trace, "__func__", None) is Flight._trace


def _trace_both(ours: Trace, theirs: Trace | None) -> Trace:
    if theirs is None:
        return ours

    def trace_both(name: str, info: dict[str, Any]) -> Any:
        ours(name, info)
        return theirs(name, info)

    return trace_both


def send_within(deadline: float, send: Callable[[], Any], unenforced_limit: UnenforcedLimit) -> Any:
    """Return the result of ``send``. If it takes longer than ``deadline``, abandon the request and raise `Expired`.

    ``unenforced_limit``: warns if nothing can end the call. A request without a deadline is traced as well, because the
    reads of its answer may have deadlines.
    """
    flight = Flight(deadline, unenforced_limit)
    read_deadline = ReadDeadline(flight)
    token = FLIGHT.set(flight)
    WATCHDOG.arm(read_deadline, deadline)
    try:
        answer = send()
    except Exception as error:
        if flight.finish() or flight.late:
            raise Expired from error
        raise
    finally:
        shut = flight.finish()
        read_deadline.deadline, read_deadline.over = inf, True
        FLIGHT.reset(token)
    if shut:
        with suppress(Exception):
            answer.close()
        raise Expired
    return answer
