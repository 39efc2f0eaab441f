"""What a forked child does with shared state: it begins anew.

A lock that another thread held at the moment of the fork stays locked for ever in the child, and what it guarded may be
half written. Whatever holds such a lock registers here and is renewed in the child before any other code runs.
"""

from __future__ import annotations

import os
from typing import Protocol
from weakref import WeakSet


class Renewable(Protocol):
    """Holds a lock, and knows how to start over."""

    def renew(self) -> None:
        """Make a new lock, and forget what the old one guarded where it may be half written."""


_holders: WeakSet[Renewable] = WeakSet()


def renew_in_child(holder: Renewable) -> None:
    """Renew ``holder`` in every child that is forked while it lives. Takes no strong reference."""
    _holders.add(holder)


def _renew_all() -> None:
    for holder in list(_holders):
        holder.renew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_all)
