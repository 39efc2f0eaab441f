"""The SQLite file of the viewer: its place, its tables and its connections."""

from __future__ import annotations

import os
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

_APPLICATION = 0x6C30_7677  # "l0vw": marks the file as ours
_VERSION = 5
"""Version of the tables. A file with another version is emptied: it holds copies of telemetry only."""
_TABLES = """
CREATE TABLE spans (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  trace_id TEXT NOT NULL, span_id TEXT NOT NULL, parent_id TEXT,
  name TEXT NOT NULL, kind INTEGER NOT NULL, scope TEXT NOT NULL, service TEXT NOT NULL,
  start REAL NOT NULL, duration REAL NOT NULL, failed INTEGER NOT NULL, detail TEXT NOT NULL,
  UNIQUE (trace_id, span_id)
);
CREATE TABLE calls (
  id INTEGER PRIMARY KEY,
  trace_id TEXT NOT NULL, span_id TEXT NOT NULL, start REAL NOT NULL, duration REAL NOT NULL,
  service TEXT NOT NULL, provider TEXT, model TEXT, operation TEXT, outcome TEXT NOT NULL,
  error_type TEXT, cause TEXT, attempts INTEGER NOT NULL, first_token REAL, gap_p95 REAL, gap_max REAL,
  input_tokens INTEGER, output_tokens INTEGER, finish_reasons TEXT NOT NULL, stop_reason TEXT,
  causes TEXT NOT NULL, attempts_failed INTEGER NOT NULL, wasted_tokens INTEGER,
  unknown_waste INTEGER NOT NULL, sdk_retries INTEGER, recovery_time REAL, search TEXT NOT NULL
);
CREATE INDEX calls_by_start ON calls (start, id);
CREATE INDEX calls_by_duration ON calls (duration, id);
CREATE INDEX calls_by_first_token ON calls (first_token, id);
-- Every column of the overview and of the facets, in the order of their groups: they read this index alone, and sort
-- nothing.
CREATE INDEX calls_by_group ON calls (
  provider, model, outcome, causes, service, start,
  attempts, attempts_failed, input_tokens, output_tokens, wasted_tokens, unknown_waste, sdk_retries, recovery_time,
  first_token, gap_p95, duration
);
CREATE TABLE gauges (
  name TEXT NOT NULL, service TEXT NOT NULL, instance TEXT NOT NULL, attributes TEXT NOT NULL,
  value REAL NOT NULL, time REAL NOT NULL,
  PRIMARY KEY (name, service, instance, attributes)
);
"""
_BUSY_SECONDS = 5.0


class DatabaseError(Exception):
    """The file cannot be used. The message says why, and what to do."""


def default_path() -> Path:
    """Return the file in the user's state directory."""
    return _state_directory() / "l0" / "view.db"


def _state_directory() -> Path:
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support"
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")


def create(path: Path) -> None:
    """Create the file, readable by its owner only, or check that it is ours. Raises `DatabaseError`."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        with closing(connect(path)) as connection:
            _prepare(connection, path)
    except (OSError, sqlite3.Error) as error:
        raise DatabaseError(f"{path} cannot be opened ({error}); name another file with --db") from error


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    application, version = (_pragma(connection, name) for name in ("application_id", "user_version"))
    if tables and application != _APPLICATION:
        raise DatabaseError(f"{path} belongs to another program; name another file with --db")
    if tables and version == _VERSION:
        return
    for name in tables:
        if not name.startswith("sqlite_"):
            connection.execute(f"DROP TABLE {name}")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.executescript(_TABLES)
    connection.execute(f"PRAGMA application_id = {_APPLICATION}")
    connection.execute(f"PRAGMA user_version = {_VERSION}")
    connection.commit()


def connect(path: Path, *, cache_kib: int = 2048) -> sqlite3.Connection:
    """Return a connection that any one thread at a time may use, in WAL mode. ``cache_kib``: memory for pages."""
    connection = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    try:
        connection.execute(f"PRAGMA cache_size = -{cache_kib}")
        # A crash of the machine may lose the last commits, and a crash of the program none.
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA journal_size_limit = 16777216")
    except BaseException:  # for example, the file is not a database
        connection.close()
        raise
    return connection


def size(connection: sqlite3.Connection) -> int:
    """Return the bytes that the data takes in the file."""
    pages = _pragma(connection, "page_count") - _pragma(connection, "freelist_count")
    return pages * _pragma(connection, "page_size")


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    (value,) = connection.execute(f"PRAGMA {name}").fetchone()
    return int(value)
