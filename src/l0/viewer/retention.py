"""Keep the database within its limits: the oldest arrivals are deleted first, a call together with its attempts."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from .database_file import size

_DELETED_SHARE = 20
"""One part in this many is deleted when the data takes too many bytes."""
_MAX_ROUNDS = 100
_MAX_GAUGES = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreLimits:
    """``max_calls``: calls that are kept. ``max_bytes``: bytes that all data may take in the file."""

    max_calls: int = 100_000
    max_bytes: int = 1_000_000_000


class Retention:
    """Applies the limits in the thread that writes. It counts calls itself: a SQL count would read the whole table."""

    def __init__(self, connection: sqlite3.Connection, limits: StoreLimits) -> None:
        self._connection = connection
        self._limits = limits
        self._calls = self._count()

    def added(self, calls: int) -> None:
        """Count new calls, and delete what exceeds the limits. Called inside the transaction that added them."""
        self._calls += calls
        excess = self._calls - self._limits.max_calls
        if excess > 0:
            (last,) = self._connection.execute(
                "SELECT id FROM calls ORDER BY id LIMIT 1 OFFSET ?", (excess - 1,)
            ).fetchone()
            self._delete_to(last)
        for _ in range(_MAX_ROUNDS):
            if size(self._connection) <= self._limits.max_bytes:
                return
            first, last = self._connection.execute("SELECT min(id), max(id) FROM spans").fetchone()
            if first is None:
                return
            self._delete_to(first + (last - first) // _DELETED_SHARE)

    def rolled_back(self) -> None:
        """Count again, because a transaction failed."""
        self._calls = self._count()

    def limit_gauges(self) -> None:
        """Delete the gauges that were reported longest ago."""
        self._connection.execute(
            "DELETE FROM gauges WHERE rowid IN (SELECT rowid FROM gauges ORDER BY time DESC LIMIT -1 OFFSET ?)",
            (_MAX_GAUGES,),
        )

    def _delete_to(self, last: int) -> None:
        self._calls -= self._connection.execute("DELETE FROM calls WHERE id <= ?", (last,)).rowcount
        self._connection.execute("DELETE FROM spans WHERE id <= ?", (last,))

    def _count(self) -> int:
        (calls,) = self._connection.execute("SELECT count(*) FROM calls").fetchone()
        return int(calls)
