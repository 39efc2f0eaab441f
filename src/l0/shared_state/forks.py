"""Reset shared state in a forked child.

A lock that another thread held during the fork stays locked forever in the child, and the state that it guarded may be
half written. Every owner of such a lock registers here, and is renewed in the child before any other code runs.

A library's own locks cannot be renewed. `FORK_GATE` keeps forks out of the blocks of code that may hold them.
"""

from __future__ import annotations

import os
import threading
from types import TracebackType
from typing import Protocol
from weakref import WeakSet


class Renewable(Protocol):
    """An owner of a lock that can start over in a forked child."""

    def renew(self) -> None:
        """Create a new lock, and discard the guarded state if it may be half written."""


_holders: WeakSet[Renewable] = WeakSet()


def renew_in_child(holder: Renewable) -> None:
    """Renew ``holder`` in every child that is forked during its lifetime. Only a weak reference is kept."""
    _holders.add(holder)


class ForkGate:
    """Keeps forks out of its ``with`` blocks.

    For libraries with locks of the whole process: a child that is forked while another thread is in SQLite may wait for
    its memory lock forever. A fork waits for the blocks of other threads, for at most `LONGEST_WAIT_S`, and a new
    block waits for the fork.
    """

    LONGEST_WAIT_S = 1.0

    def __init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        """Start over in a forked child, which has none of the other threads."""
        self._changed = threading.Condition()  # its lock is reentrant: a signal handler may fork, or enter a block
        self._threads: list[int] = []
        self.forking = False
        """True while a fork waits, or happens."""

    def __enter__(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: not self.forking, self.LONGEST_WAIT_S)
            self._threads.append(threading.get_ident())

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        with self._changed:
            self._threads.remove(threading.get_ident())
            self._changed.notify_all()

    @property
    def entered(self) -> bool:
        """True if this thread is in a block."""
        return threading.get_ident() in self._threads

    def close(self) -> None:
        """Wait for the blocks of other threads, before a fork."""
        own = threading.get_ident()
        with self._changed:
            self.forking = True
            self._changed.wait_for(lambda: all(thread == own for thread in self._threads), self.LONGEST_WAIT_S)

    def open(self) -> None:
        """Let blocks begin again, after a fork."""
        with self._changed:
            self.forking = False
            self._changed.notify_all()


FORK_GATE = ForkGate()


def _renew_all() -> None:
    FORK_GATE.renew()
    for holder in list(_holders):
        holder.renew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=FORK_GATE.close, after_in_parent=FORK_GATE.open, after_in_child=_renew_all)
