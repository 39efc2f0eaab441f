"""Windows that outlive the process: buckets of counts in SQLite.

Calls never wait for the disk: one daemon thread adds what is new, as soon as something is. A process that is killed, or
ends by a signal without `atexit` (uvicorn raises the signal once more when it has shut down), so loses no more than the
events of a moment. Several processes may share a file, as counts are added to what is there; each begins with the
history of all of them.
"""

from __future__ import annotations

import atexit
import logging
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from math import inf
from os import PathLike, fspath
from queue import Empty, SimpleQueue
from time import monotonic

from l0.slo.burn import Count
from l0.slo.rolling_windows import RINGS, Bucket

from .forks import renew_in_child

_log = logging.getLogger("l0")
Key = tuple[str, str, str]
"""Objective, provider and model."""

EVERY = 10.0
"""Seconds after which what could not be written is tried again, and that two saves are never further apart."""
APART = 0.1
"""Seconds between two saves, and what a kill may lose: the first event after a pause is saved at once."""
_SHARE = 20
"""A save is followed by a pause so many times as long: a slow disk gets fewer."""
_BUSY = 0.4
"""Seconds to wait for another process's lock on the file."""
STOPPING = 2.0
"""Seconds that `Saver.stop` may take. At the end of the process a quarter of it: others have to end as well."""
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
        with closing(sqlite3.connect(self._path, timeout=_BUSY)) as database, database:
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
        atexit.register(self._exit)

    def renew(self) -> None:
        """No thread yet; in a child the parent's is gone."""
        self._starting = threading.Lock()  # never waited for
        self._saving = threading.RLock()
        self._wake: SimpleQueue[None] = SimpleQueue()
        self._changed = False
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None
        self._refused = -inf
        self._missed: list[tuple[Key, Bucket]] = []
        self._warned = False

    def begin(self) -> None:
        """Make sure that the thread runs. Costs a look where it does, and waits for nothing."""
        if self._thread is not None or not self._starting.acquire(blocking=False):
            return
        try:
            if self._thread is None and not self._ending.is_set() and monotonic() > self._refused + 1.0:
                thread = threading.Thread(target=self._run, name="l0-slo-saver", daemon=True)
                thread.start()
                self._thread = thread
        except RuntimeError:  # the limit of threads: what is new waits for the next call, or for `stop`
            self._refused = monotonic()
        finally:
            self._starting.release()

    def changed(self) -> None:
        """There is something new. Waits for nothing."""
        if not self._changed:
            self._changed = True
            self._wake.put(None)

    def stop(self, seconds: float = STOPPING) -> None:
        """Save what is left, and end; in ``seconds``, or not at all. What cannot be saved by then is lost, with a
        warning."""
        atexit.unregister(self._exit)
        self._ending.set()
        self._wake.put(None)
        if self._thread is None:
            self.save()
            return
        self._thread.join(seconds)
        if self._thread.is_alive():
            _log.warning("SLO windows could not be stored within %g s: what was new is lost", seconds)

    def _exit(self) -> None:
        self.stop(STOPPING / 4)

    def save(self) -> None:
        """Add what is new to the file. What could not be written is tried again next time; one warning says so."""
        with self._saving:
            at = self._clock()
            self._missed = [row for row in self._missed if row[1].start >= oldest(row[1].width, at)] + self._unsaved()
            if not self._missed:
                return
            try:
                self._storage.add(self._missed, at)
            except (sqlite3.Error, OSError) as error:
                if not self._warned:
                    _log.warning("SLO windows are not stored (%s). Calls go on; this is said once.", error)
                self._warned = True
                self._missed = merged(self._missed)
                return
            self._missed = []

    def _run(self) -> None:
        while not self._ending.is_set():
            with suppress(Empty):
                self._wake.get(timeout=EVERY)
            self._changed = False  # before the look: what comes meanwhile wakes it once more
            began = monotonic()
            self.save()
            self._ending.wait(min(max(_SHARE * (monotonic() - began), APART), EVERY))
        self.save()
