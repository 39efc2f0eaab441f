"""An event for threads that a signal handler may wait for."""

from __future__ import annotations

import _thread
from contextlib import suppress


class SignalSafeEvent:
    """An event that is set once, for threads that a signal handler may wait for.

    `threading.Event.set` holds a lock. A handler that interrupts it, and then waits for a thread that waits for the
    event, would wait for itself: that thread needs the lock to go on. Here each step is one instruction.
    """

    def __init__(self) -> None:
        self._is_set = False
        self._released = _thread.allocate_lock()
        self._released.acquire()

    def is_set(self) -> bool:
        """Return True if the event is set."""
        return self._is_set

    def set(self) -> None:
        """Set the event, and wake all threads that wait for it."""
        self._is_set = True
        with suppress(RuntimeError):  # it is set already
            self._released.release()

    def wait(self, timeout_s: float = -1.0) -> bool:
        """Wait until the event is set, for at most ``timeout_s`` seconds if that is not negative. Return True if it is
        set."""
        if not self._is_set and self._released.acquire(timeout=timeout_s):
            self.set()  # wakes the next waiting thread
        return self._is_set
