"""The store of the viewer: one writer, and readers in other threads."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from threading import local
from typing import TypeVar

from .api_contract import ListedCall
from .database_file import connect, create
from .retention import StoreLimits
from .span_record import ReceivedBatch
from .span_writer import SpanWriter

READERS = 2
"""Threads that read. More would only wait for each other's turn in Python."""
T = TypeVar("T")


class CallStore:
    """The database of calls. Raises `DatabaseError` if its file cannot be used."""

    def __init__(self, path: Path, limits: StoreLimits, on_calls: Callable[[Sequence[ListedCall]], None]) -> None:
        create(path)
        self.limits = limits
        self._path = path
        self._writer = SpanWriter(path, limits, on_calls)
        self._pool = ThreadPoolExecutor(READERS, thread_name_prefix="l0-view-reader")
        self._thread_local = local()
        self._connections: list[sqlite3.Connection] = []

    def write(self, read: Callable[[], ReceivedBatch], size: int) -> Future[int]:
        """Queue the content of a request; see `SpanWriter.submit`."""
        return self._writer.submit(read, size)

    async def query(self, read: Callable[[sqlite3.Connection], T]) -> T:
        """Return what ``read`` returns for a connection, on which it sees one consistent state of the database."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._read, read)

    def _read(self, read: Callable[[sqlite3.Connection], T]) -> T:
        connection: sqlite3.Connection | None = getattr(self._thread_local, "connection", None)
        if connection is None:
            connection = connect(self._path)
            connection.execute("PRAGMA query_only = 1")
            self._thread_local.connection = connection
            self._connections.append(connection)
        connection.execute("BEGIN")
        try:
            return read(connection)
        finally:
            connection.execute("COMMIT")

    def close(self) -> None:
        """Write the requests that wait, and close the file."""
        self._pool.shutdown()
        for connection in self._connections:
            connection.close()
        self._writer.close()
