"""Unblock sync reads whose deadline has passed, from one daemon thread.

A blocked ``recv`` cannot be cancelled. Shutting its socket down ends it within a moment, also through TLS, whereas
``close()`` and ``settimeout()`` would wait for the peer. The thread exists only while some stream has deadlines. Arming
a deadline is one attribute store: the thread checks the deadline when the previous one has passed, and sleeps on if it
has moved.

If no thread can be started (the thread limit, interpreter shutdown), reads have no deadlines: L0 logs one warning, and
a later read tries again.

A deadline ends a read only if no data is available. Other threads, a debugger or a stopped process may have held up the
thread itself, and probably the reader as well. The thread therefore checks twice before it ends a read, and waits in
between for as long as it was late. It leaves available data to the reader.
"""

from __future__ import annotations

import heapq
import logging
import os
import select
import socket
import threading
from collections.abc import Callable
from itertools import count
from math import inf
from time import perf_counter
from typing import Any, Protocol

from .deadlines import Deadlines

_log = logging.getLogger("l0")
_RETRY_S = 1.0
"""Seconds after which L0 tries again to start a thread that could not be started: a try costs more than a read."""
_TICK_S = 0.1
"""The longest sleep of the thread, in seconds. To wake it is the most expensive part of a deadline."""
_LONGEST_QUEUED_S = 5.0
"""The longest time, in seconds, between two checks of a deadline, so that streams that are over are dropped."""
_RECHECK_S = 0.02
"""The shortest time, in seconds, between two checks of a read whose deadline has passed."""
_GRACE_S = 0.5
"""The longest time, in seconds, that a reader may continue after its deadline, to read data that has arrived."""


class Shutter(Protocol):
    """An object that can end a blocked read: a socket."""

    def fileno(self) -> int:
        """Return the descriptor to poll for available data; -1 if there is none."""
        ...

    def shutdown(self, how: int, /) -> Any:
        """Shut both directions down. Return False if others use the connection, so that it cannot be shut down now."""


class ReadDeadline:
    """The deadline of one stream's current read, in seconds of the monotonic clock; ``inf`` between reads.

    ``queued``: the time of its next check by the thread; ``inf`` if none is queued. ``fired``: the read was unblocked.
    ``over``: no reads follow.
    """

    __slots__ = ("_checked_deadline", "_shutter", "_grace_until", "deadline", "fired", "over", "queued")

    def __init__(self, shutter: Shutter) -> None:
        self._shutter = shutter
        self._checked_deadline = self._grace_until = -inf
        self.deadline = inf
        self.queued = inf
        self.fired = False
        self.over = False

    def next_check(self, now: float) -> float | None:
        """Return the time of the next check of a read whose deadline has passed; ``None`` if the read must end now."""
        if self._checked_deadline != self.deadline:
            self._checked_deadline, self._grace_until = self.deadline, now + _GRACE_S
            return now + min(max(now - self.deadline, _RECHECK_S), _GRACE_S)
        return now + _RECHECK_S if now < self._grace_until and _readable(self._shutter) else None

    def fire(self) -> bool:
        """Unblock the read. Return False if that has to wait."""
        self.fired = True
        try:
            self.fired = self._shutter.shutdown(socket.SHUT_RDWR) is not False
        except Exception:  # the peer may have closed it; no error may end the thread
            pass
        return self.fired


def _readable(shutter: Shutter) -> bool:
    """Return True if data has arrived that nobody has read yet."""
    try:
        number = shutter.fileno()
        if number < 0:
            return False
        if not hasattr(select, "poll"):
            return bool(select.select([number], [], [], 0)[0])
        poll = select.poll()
        poll.register(number, select.POLLIN)
        return any(event & select.POLLIN for _, event in poll.poll(0))
    except (OSError, ValueError):  # closed meanwhile
        return False


class Expired(Exception):  # noqa: N818 - an event, turned into a failure at once
    """The deadline of a read has passed."""


class Watchdog:
    """The deadlines of all sync reads in the process. The thread ends after `idle` seconds without any."""

    def __init__(self, idle: float = 5.0) -> None:
        self._idle = idle
        self._reset()

    def _reset(self) -> None:
        self._changed = threading.Condition()
        self._due: list[tuple[float, int, ReadDeadline]] = []
        self._ticket = count()
        self._thread: threading.Thread | None = None
        self._next = inf
        self._stopping = False
        self._refused_at = -inf
        self._warned = False

    def reset_after_fork(self) -> None:
        """Reset in a forked child, which has neither the thread nor the parent's streams."""
        self._reset()

    def arm(self, read_deadline: ReadDeadline, deadline: float) -> bool:
        """Set the deadline of a read that begins. Wake the thread only if it would otherwise sleep past the deadline.

        Return False if no thread can enforce the deadline.
        """
        read_deadline.deadline = deadline
        if deadline < read_deadline.queued:
            with self._changed:
                if self._thread is None and not self._start():
                    return False  # not queued: the next read tries again
                self._queue(read_deadline, deadline)
                if deadline < self._next:
                    self._changed.notify()
        return True

    def _start(self) -> bool:
        """Start the thread. Return True if it runs. The caller holds the lock, for which the new thread waits."""
        now = perf_counter()
        if now < self._refused_at + _RETRY_S:
            return False
        self._stopping = False
        thread = threading.Thread(target=self._run, name="l0-watchdog", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            self._refused_at = now
            if not self._warned:
                self._warned = True
                _log.warning("deadlines of sync streams are not enforced until a thread can be started (%s)", error)
            return False
        self._thread = thread
        return True

    def _queue(self, read_deadline: ReadDeadline, at: float) -> None:
        read_deadline.queued = at = min(at, perf_counter() + _LONGEST_QUEUED_S)
        heapq.heappush(self._due, (at, next(self._ticket), read_deadline))

    def stop(self) -> None:
        """End the thread. Streams that are still being read lose their deadlines."""
        with self._changed:
            thread, self._due = self._thread, []
            self._stopping = True
            self._changed.notify()
        if thread is not None:
            thread.join(timeout=1.0)

    def _run(self) -> None:
        while True:
            with self._changed:
                read_deadline = self._wait()
                if read_deadline is None:
                    self._thread = None
                    return
            if not read_deadline.fire():
                with self._changed:
                    self._queue(read_deadline, perf_counter() + _TICK_S)

    def _wait(self) -> ReadDeadline | None:
        """Return the next read whose deadline has passed; ``None`` if the thread is to end."""
        idle_since = perf_counter()
        while not self._stopping:
            now = perf_counter()
            while self._due and (self._due[0][2].over or self._due[0][2].fired):
                heapq.heappop(self._due)
            if not self._due:
                if now >= idle_since + self._idle:
                    return None
                self._sleep(now, inf)
                continue
            at, _, read_deadline = self._due[0]
            idle_since = now
            if at > now:
                self._sleep(now, at)
                continue
            heapq.heappop(self._due)
            # First drop the entry, then check the deadline: a reader that sets one in between queues a new entry.
            read_deadline.queued = inf
            deadline = read_deadline.deadline
            if deadline <= now:
                check_at = read_deadline.next_check(now)
                if check_at is None:
                    return read_deadline
                self._queue(read_deadline, check_at)
            elif deadline < inf:
                self._queue(read_deadline, deadline)
        return None

    def _sleep(self, now: float, until: float) -> None:
        """Sleep, but never past the next tick, so that arming a later deadline need not wake the thread."""
        self._next = min(until, now + _TICK_S)
        self._changed.wait(self._next - now)


WATCHDOG = Watchdog()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=WATCHDOG.reset_after_fork)


class BoundedReads:
    """The reads of one body, each with a deadline."""

    __slots__ = ("_advance", "_deadlines", "_read_deadline")

    def __init__(self, advance: Callable[[], Any], read_deadline: ReadDeadline, deadlines: Deadlines) -> None:
        self._advance = advance
        self._read_deadline = read_deadline
        self._deadlines = deadlines

    def read(self) -> Any:
        """Return the next raw read. Raises `Expired`, `StopIteration`, or an error of the transport."""
        read_deadline = self._read_deadline
        WATCHDOG.arm(read_deadline, self._deadlines.reading(perf_counter()))
        try:
            return self._advance()
        except Exception as error:
            if read_deadline.fired:
                raise Expired from error
            raise
        finally:
            read_deadline.deadline = inf

    def close(self) -> None:
        """Stop watching the deadline. No reads follow."""
        self._read_deadline.over = True
