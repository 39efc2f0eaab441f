"""Reset shared state in a forked child.

A lock that another thread held during the fork stays locked forever in the child, and the state that it guarded may be
half written. Every owner of such a lock registers here, and is renewed in the child before any other code runs.
"""

from __future__ import annotations

import os
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


def _renew_all() -> None:
    for holder in list(_holders):
        holder.renew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_all)
