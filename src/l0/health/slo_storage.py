"""Windows that outlive the process: buckets of counts in SQLite.

Calls never wait for the disk: one daemon thread adds what is new every ten seconds, and once more at the end. Several
processes may share a file, as counts are added to what is there; each begins with the history of all of them.
"""

from __future__ import annotations

import atexit
import logging
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from os import PathLike, fspath

from l0.objectives.burn import Count
from l0.objectives.windows import RINGS, Bucket

from .forks import renew_in_child

_log = logging.getLogger("l0")
Key = tuple[str, str, str]
"""Objective, provider and model."""

EVERY = 10.0
"""Seconds between two saves: what a crash may lose."""
_TABLE = """CREATE TABLE IF NOT EXISTS l0_slo_events (
    slo TEXT NOT NULL, provider TEXT NOT NULL, model TEXT NOT NULL, width INTEGER NOT NULL, start INTEGER NOT NULL,
    bad INTEGER NOT NULL, total INTEGER NOT NULL, PRIMARY KEY (slo, provider, model, width, start)
) WITHOUT ROWID"""
_ADD = """INSERT INTO l0_slo_events VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE
SET bad = bad + excluded.bad, total = total + excluded.total"""
_LOAD = "SELECT slo, provider, model, width, start, bad, total FROM l0_slo_events"
_PRUNE = "DELETE FROM l0_slo_events WHERE width = ? AND start < ?"


class Storage:
    """A file. Opened for every use, so that threads and forks share nothing but it. Errors are `sqlite3.Error`."""

    def __init__(self, path: str | PathLike[str]) -> None:
        self._path = fspath(path)
        with self._open():
            pass

    def load(self) -> list[tuple[Key, Bucket]]:
        """All that is there."""
        with self._open() as database:
            rows = database.execute(_LOAD).fetchall()
        return [
            ((slo, of, model), Bucket(width, start, Count(bad, total)))
            for slo, of, model, width, start, bad, total in rows
        ]

    def add(self, rows: Iterable[tuple[Key, Bucket]], at: float) -> None:
        """Add new events, and forget those that no window at ``at`` reaches any more."""
        with self._open() as database:
            database.executemany(_ADD, [(*key, b.width, b.start, b.count.bad, b.count.total) for key, b in rows])
            database.executemany(_PRUNE, [(width, oldest(width, at)) for width, _ in RINGS])

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self._path)) as database, database:
            database.execute(_TABLE)
            yield database


def oldest(width: int, at: float) -> int:
    """When the oldest bucket of a width began that a window at ``at`` may reach."""
    return int(at) - dict(RINGS)[width] - width


def merged(rows: Iterable[tuple[Key, Bucket]]) -> list[tuple[Key, Bucket]]:
    """One row a bucket: while the file is away, what waits for it stays as bounded as the windows."""
    counts: dict[tuple[Key, int, int], Count] = {}
    for key, bucket in rows:
        place = (key, bucket.width, bucket.start)
        counts[place] = counts.get(place, Count()) + bucket.count
    return [(key, Bucket(width, start, count)) for (key, width, start), count in counts.items()]


class Saver:
    """Stores what is new, now and then. ``unsaved``: what that is, each event once."""

    def __init__(
        self, storage: Storage, unsaved: Callable[[], list[tuple[Key, Bucket]]], clock: Callable[[], float]
    ) -> None:
        self._storage = storage
        self._unsaved = unsaved
        self._clock = clock
        self.renew()
        renew_in_child(self)
        atexit.register(self.stop)

    def renew(self) -> None:
        """No thread yet; in a child the parent's is gone."""
        self._lock = threading.Lock()
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None
        self._missed: list[tuple[Key, Bucket]] = []
        self._warned = False

    def begin(self) -> None:
        """Make sure that the thread runs. Costs a look where it does."""
        if self._thread is not None:
            return
        with self._lock:
            if self._thread is None and not self._ending.is_set():
                self._thread = threading.Thread(target=self._run, name="l0-slo-saver", daemon=True)
                self._thread.start()

    def stop(self) -> None:
        """Save what is left, and end."""
        atexit.unregister(self.stop)
        self._ending.set()
        if self._thread is not None:
            self._thread.join()
        self.save()

    def save(self) -> None:
        """Add what is new to the file. What could not be written is tried again next time; one warning says so."""
        with self._lock:
            at = self._clock()
            self._missed = [row for row in self._missed if row[1].start >= oldest(row[1].width, at)] + self._unsaved()
            if not self._missed:
                return
            try:
                self._storage.add(self._missed, at)
            except sqlite3.Error as error:
                if not self._warned:
                    _log.warning("SLO windows are not stored (%s). Calls go on; this is said once.", error)
                self._warned = True
                self._missed = merged(self._missed)
                return
            self._missed = []

    def _run(self) -> None:
        while not self._ending.wait(EVERY):
            self.save()
