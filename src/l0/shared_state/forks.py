"""Reset shared state in a forked child.

A lock that another thread held during the fork stays locked forever in the child, and the state that it guarded may be
half written. Every owner of such a lock registers here, and is renewed in the child before any other code runs.

A library's own locks cannot be renewed. `FORK_GATE` keeps forks out of the blocks of code that may hold them.
"""

from __future__ import annotations

import os
import threading
from time import monotonic, sleep
from types import TracebackType
from typing import Protocol
from weakref import WeakSet

_POLL_S = 0.001


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

    Some libraries have locks for the whole process: if a process forks while another thread is in SQLite, the child may
    wait for SQLite's memory lock forever. A fork waits for the blocks of other threads, and a new block waits for the
    fork, each for at most `LONGEST_WAIT_S`. The gate itself has no lock, which a third thread could hold during a fork:
    changing a list, or testing it, is atomic.
    """

    LONGEST_WAIT_S = 1.0

    def __init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        """Start over in a forked child, which has none of the other threads."""
        self._inside: list[int] = []
        self._forking: list[int] = []

    def __enter__(self) -> None:
        own = threading.get_ident()
        nested = own in self._inside
        self._inside.append(own)  # before the test: either a fork that begins now sees this, or the test sees the fork
        give_up_at = monotonic() + self.LONGEST_WAIT_S
        while self.forking and not nested and monotonic() < give_up_at:
            self._inside.remove(own)
            sleep(_POLL_S)
            self._inside.append(own)

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self._inside.remove(threading.get_ident())

    @property
    def entered(self) -> bool:
        """True if this thread is in a block."""
        return threading.get_ident() in self._inside

    @property
    def forking(self) -> bool:
        """True while a fork waits or is under way."""
        return bool(self._forking)

    def close(self) -> None:
        """Wait for the blocks of other threads, before a fork."""
        own = threading.get_ident()
        self._forking.append(own)
        give_up_at = monotonic() + self.LONGEST_WAIT_S
        while any(thread != own for thread in [*self._inside]) and monotonic() < give_up_at:
            sleep(_POLL_S)

    def open(self) -> None:
        """Let blocks begin again, after a fork."""
        self._forking.remove(threading.get_ident())


FORK_GATE = ForkGate()


def _renew_all() -> None:
    FORK_GATE.renew()
    for holder in list(_holders):
        holder.renew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=FORK_GATE.close, after_in_parent=FORK_GATE.open, after_in_child=_renew_all)
