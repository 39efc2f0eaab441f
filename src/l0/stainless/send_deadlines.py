"""A sync request on its way, and how its deadline ends it.

A sync client blocks in system calls, each with a time-out of its own: headers or a body that trickle never meet one. So
the transport's time-outs shrink to what is left of the deadline, phase by phase, and from the moment in which the
connection is known the watchdog can shut its socket. The transport's ``trace`` extension tells the phases: httpcore's
events, which are a part of its interface. Nothing here runs for calls without a deadline.

Not bounded: what uses no connection (resolving a host name, a function of the user's that the SDK calls), and, over
HTTP/2, a connection that serves other calls as well while nothing at all arrives on it: `UnkeptLimit` warns of that.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from contextvars import ContextVar
from math import inf
from time import perf_counter
from typing import Any

from l0.runtime.watchdog import WATCHDOG, Expired, ReadDeadline

from .unkept_limit import UnkeptLimit

_NEAR = 8
"""Frames between a connection and what it tells its phases to, at most."""


class Flight:
    """One attempt's request until it is answered: its headers for a stream, else its whole answer.

    ``late``: a phase was not begun any more. ``shut``: the connection was shut.
    """

    def __init__(self, deadline: float, unkept: UnkeptLimit) -> None:
        self.late = self.shut = False
        self._unkept = unkept
        self._deadline = deadline
        self._reads: ReadDeadline | None = None
        self._landed = False
        self._lock = threading.Lock()
        self._socket: Any = None
        self._copy: Any = None
        self._shared: Any = None

    def follow(self, request: Any) -> None:
        """Have the transport tell of ``request``, and obey the deadline in each of its phases."""
        extensions = request.extensions
        request.extensions = {
            **extensions,
            "timeout": Timeouts(extensions.get("timeout") or {}, self),
            "trace": _both(self._told, extensions.get("trace")),
        }

    def landed(self) -> bool:
        """It is answered, or has failed: from now on the connection is not ours to shut. Return whether it was shut."""
        with self._lock:
            self._landed = True
            self._socket = None
            self._release_copy()
            return self.shut

    def reading(self) -> ReadDeadline | None:
        """What bounds the reads of the answer over HTTP/2; ``None`` where the connection is all its own."""
        if self._shared is None:
            return None
        self._unkept.thread = threading.get_ident()
        self._reads = ReadDeadline(_Shared(self._shared, self._unkept))
        return self._reads

    # -- in the thread that sends -----------------------------------------------------------------------------------

    def left(self, part: str, own: float | None) -> float | None:
        """Seconds that a phase may take; ``own``: by the SDK's time-out. Raises `Expired` where nothing is left."""
        if self._landed and self._reads is None:
            return own
        deadline = self._deadline if self._reads is None else self._reads.deadline
        left = deadline - perf_counter()
        if left <= 0:
            self.late = True
            raise Expired
        if part == "read" and self._shared is not None and not _alone(self._shared):
            return own  # httpcore gives up the whole connection where one read takes too long
        if left == inf:
            return own
        return left if own is None else min(own, left)

    def _told(self, name: str, info: dict[str, Any]) -> None:
        """What the transport says of a phase."""
        if self._landed:
            return
        phase = name.rpartition(".")[0].rpartition(".")[2], name.rpartition(".")[2]
        match phase:
            case ("connect_tcp" | "connect_unix_socket" | "start_tls", "complete"):
                self._use(info.get("return_value"))
            case ("start_tls", "started"):
                self._keep_copy()
            case ("send_request_headers", "started"):
                connection = _caller()
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
        """TLS takes the socket away from its object, and gives it back in another one only after the handshake."""
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
        """The socket in use; -1 for none."""
        found = self._socket
        return -1 if found is None else int(found.fileno())

    def shutdown(self, how: int, /) -> bool:
        """Shut the connection where there is one and nobody else uses it. Return whether it was shut."""
        with self._lock:
            shared = self._shared is not None and not _alone(self._shared)
            if self._socket is not None and not shared:
                self.shut = True
                self._socket.shutdown(how)
                return True
        if shared:
            self._unkept.warn()
        return False


class _Shared:
    """An HTTP/2 connection while one of our answers is read from it."""

    def __init__(self, connection: Any, unkept: UnkeptLimit) -> None:
        self._connection = connection
        self._unkept = unkept

    def fileno(self) -> int:
        """Unknown: bytes that are there may be somebody else's."""
        return -1

    def shutdown(self, how: int, /) -> bool:
        """As `Flight.shutdown`."""
        if _alone(self._connection):
            self._connection._network_stream.get_extra_info("socket").shutdown(how)
            return True
        self._unkept.warn()
        return False


def _alone(connection: Any) -> bool:
    """Whether an HTTP/2 connection serves one request and no other; httpcore keeps a list of events for each."""
    events = getattr(connection, "_events", None)
    return isinstance(events, dict) and len(events) <= 1


def _caller() -> Any:
    """The connection that tells of a phase: the event names none, and one that is used again shows its socket only in
    the response."""
    frame = sys._getframe(1)
    for _ in range(_NEAR):
        if frame is None:
            return None
        connection = frame.f_locals.get("self")
        if hasattr(connection, "_network_stream"):
            return connection
        frame = frame.f_back  # type: ignore[assignment]
    return None


class Timeouts(dict[str, Any]):
    """The time-outs of one request, never longer than what is left of its deadline."""

    def __init__(self, own: dict[str, Any], flight: Flight) -> None:
        super().__init__(own)
        self.flight = flight

    def get(self, key: str, default: Any = None) -> Any:
        return self.flight.left(key, super().get(key, default))

    def __getitem__(self, key: str) -> Any:
        return self.flight.left(key, super().__getitem__(key))


Trace = Callable[[str, dict[str, Any]], Any]


def _both(ours: Trace, theirs: Trace | None) -> Trace:
    if theirs is None:
        return ours

    def told(name: str, info: dict[str, Any]) -> Any:
        ours(name, info)
        return theirs(name, info)

    return told


FLIGHT: ContextVar[Flight | None] = ContextVar("l0_flight", default=None)
"""The flight of the request that is being sent, in the thread that sends it."""


def by(deadline: float, send: Callable[[], Any], unkept: UnkeptLimit | None) -> Any:
    """Return the result of ``send``. Raises `Expired` if it is not there by ``deadline``; the request is given up.

    ``unkept``: warns if nothing can end the call; ``None`` for a call without clocks, which is not followed. One whose
    headers may take any time is followed, as its reads may have deadlines.
    """
    if unkept is None:
        return send()
    flight = Flight(deadline, unkept)
    read_deadline = ReadDeadline(flight)
    token = FLIGHT.set(flight)
    WATCHDOG.arm(read_deadline, deadline)
    try:
        answer = send()
    except Exception as error:
        if flight.landed() or flight.late:
            raise Expired from error
        raise
    finally:
        shut = flight.landed()
        read_deadline.deadline, read_deadline.over = inf, True
        FLIGHT.reset(token)
    if shut:
        with suppress(Exception):
            answer.close()
        raise Expired
    return answer
