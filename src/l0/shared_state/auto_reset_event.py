"""An event that wakes a waiting thread, and is reset by it."""

from __future__ import annotations

import _thread
from contextlib import suppress


class AutoResetEvent:
    """Wakes one waiting thread each time it is set. Signal handlers and finalizers may set it.

    `queue.SimpleQueue` would serve as well, but a signal that arrives at the end of a ``get`` with a timeout makes
    CPython before 3.13 wait forever. A lock does not.
    """

    def __init__(self) -> None:
        self._is_unset = _thread.allocate_lock()
        self._is_unset.acquire()

    def set(self) -> None:
        """Wake one waiting thread. If none waits, the next `wait` returns at once."""
        with suppress(RuntimeError):  # it is set already
            self._is_unset.release()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until the event is set, and reset it. Return False if ``timeout_s`` seconds pass first; ``None``: no
        limit."""
        return self._is_unset.acquire(timeout=-1 if timeout_s is None else max(timeout_s, 0.0))
