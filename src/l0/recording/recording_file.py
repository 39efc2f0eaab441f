"""Write one file of a recording. Used by one thread."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from .recording_schema import SCHEMA, VERSION


class RecordingFile:
    """A new SQLite file. Rows are buffered until `commit`, which writes them in one transaction.

    A killed process loses only what was not committed: ``synchronous=NORMAL`` with a write-ahead log does not wait for
    the disk, which matters only if the machine itself stops.
    """

    def __init__(self, path: Path, meta: Mapping[str, object]) -> None:
        self.path = path
        self.calls: set[str] = set()
        """The ids of the calls of this file that are not over."""
        self._rows: dict[str, list[Sequence[Any]]] = {}
        _create(path, meta)
        self._database = _connect(path)
        try:
            self._database.execute("PRAGMA journal_mode=WAL")
            self._database.execute("PRAGMA synchronous=NORMAL")
            self._database.execute("SELECT * FROM meta").fetchall()  # takes the lock that `is_in_use` looks for
        except BaseException:
            self._database.close()
            raise

    def add(self, statement: str, row: Sequence[Any]) -> None:
        """Buffer one row."""
        self._rows.setdefault(statement, []).append(row)

    def commit(self) -> None:
        """Write the buffered rows. Raises `sqlite3.Error`, after which this file cannot be used any more."""
        rows, self._rows = self._rows, {}
        if rows:
            self._database.execute("BEGIN IMMEDIATE")
            for statement in sorted(rows, key=lambda text: text.startswith("UPDATE")):  # a row comes before its updates
                self._database.executemany(statement, rows[statement])
            self._database.execute("COMMIT")

    @property
    def exists(self) -> bool:
        """False if somebody deleted the file: what is written to it is then lost."""
        return self.path.exists()

    @property
    def size(self) -> int:
        """The bytes of the file and of its write-ahead log."""
        return sum(size_of(self.path, suffix) for suffix in ("", "-wal"))

    def close(self) -> None:
        """Close the file. SQLite then moves the write-ahead log into the file itself."""
        self._database.close()


def _create(path: Path, meta: Mapping[str, object]) -> None:
    """Create a file with its tables. It gets its final name last, so that a file of this name can always be opened."""
    unfinished = path.with_name(f"{path.name}.new")
    os.close(os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))  # a recording may hold answers of users
    if path.exists():  # nobody can create it now: that takes the unfinished file
        unfinished.unlink()
        raise FileExistsError(f"{path} exists")
    database = _connect(unfinished)
    try:
        database.execute("BEGIN")
        for statement in SCHEMA.split(";")[:-1]:
            database.execute(statement)
        texts = {key: value if isinstance(value, str) else json.dumps(value) for key, value in meta.items()}
        database.executemany("INSERT INTO meta VALUES (?, ?)", {"version": VERSION, **texts}.items())
        database.execute("COMMIT")
    finally:
        database.close()
    unfinished.rename(path)


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, isolation_level=None, check_same_thread=False)


def is_in_use(path: Path) -> bool:
    """Return True if a process is writing or reading a file, or this one may not open it.

    From its first transaction on, a connection to a file with a write-ahead log holds a shared lock, which ends with
    its process and which a forked child does not inherit. A connection in exclusive mode must be the only one.
    """
    try:
        uri = f"{path.absolute().as_uri()}?mode=rw"
        with closing(sqlite3.connect(uri, uri=True, timeout=0, isolation_level=None)) as database:
            database.execute("PRAGMA locking_mode=EXCLUSIVE")
            database.execute("SELECT 1 FROM sqlite_master").fetchall()
    except sqlite3.OperationalError:
        return True
    except sqlite3.DatabaseError:  # a damaged file
        return False
    return False


def size_of(path: Path, suffix: str = "") -> int:
    """Return the bytes of a file; 0 if there is none."""
    try:
        return Path(f"{path}{suffix}").stat().st_size
    except OSError:
        return 0
