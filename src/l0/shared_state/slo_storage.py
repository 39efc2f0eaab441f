"""Store SLO windows in SQLite as buckets of counts, so that they outlive the process.

Calls do not wait for the disk: a daemon thread adds new events as soon as there are any. So a process that is killed
loses only its latest events. SIGTERM loses none: after it, each call waits briefly for its own events to be saved
(`termination.SigtermFlush`). Several processes may share a file because counts are added to the stored ones; each
process starts with the history of all of them.

A journal that every call writes to would survive even a kill. But a write can block while the disk is busy, or while
the network of a network file system is down, and would then block the event loop of the application.
"""

from __future__ import annotations

import _thread
import atexit
import logging
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from math import inf
from os import PathLike
from pathlib import Path
from time import monotonic

from l0.slo.burn import Count
from l0.slo.rolling_windows import RINGS, Bucket

from .auto_reset_event import AutoResetEvent
from .forks import FORK_GATE, renew_in_child
from .termination import SigtermFlush

_log = logging.getLogger("l0")
Key = tuple[str, str, str]
"""Objective, provider and model."""

MAX_INTERVAL = 10.0
"""Interval in s after which failed writes are retried; also the maximum time between two saves."""
MIN_INTERVAL = 0.1
"""Minimum time in s between two saves; a kill loses at most this. The first event after a pause is saved at once."""
_PAUSE_RATIO = 20
"""Ratio of the pause after a save to the duration of the save, so that a slow disk gets fewer saves."""
_BUSY = 0.4
"""Maximum wait in s for another process's lock on the file."""
STOPPING = 2.0
"""Maximum duration of `Saver.stop`, in s."""
EXIT = 0.5
"""Maximum duration of `Saver.stop` at process exit, in s: other exit functions need time as well."""
_TABLE = """CREATE TABLE IF NOT EXISTS l0_slo_events (
    slo TEXT NOT NULL, provider TEXT NOT NULL, model TEXT NOT NULL, width INTEGER NOT NULL, start INTEGER NOT NULL,
    bad INTEGER NOT NULL, total INTEGER NOT NULL, PRIMARY KEY (slo, provider, model, width, start)
) WITHOUT ROWID"""
_ADD = """INSERT INTO l0_slo_events VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE
SET bad = bad + excluded.bad, total = total + excluded.total"""
_LOAD = "SELECT slo, provider, model, width, start, bad, total FROM l0_slo_events"
_PRUNE = "DELETE FROM l0_slo_events WHERE width = ? AND start < ?"


def stored_rows(path: str | PathLike[str]) -> list[tuple[Key, Bucket]]:
    """Return all buckets of a file without changing it. Raises `sqlite3.Error` if it is no store of objectives."""
    with closing(sqlite3.connect(f"{Path(path).absolute().as_uri()}?mode=ro", uri=True, timeout=_BUSY)) as database:
        return _rows(database)


def _rows(database: sqlite3.Connection) -> list[tuple[Key, Bucket]]:
    return [
        ((slo, provider, model), Bucket(width, start, Count(bad, total)))
        for slo, provider, model, width, start, bad, total in database.execute(_LOAD)
    ]


class Storage:
    """A SQLite file of counts. It is opened for every use, so threads and forks share no connection.

    Raises:
        sqlite3.Error: from every method, if the file cannot be read or written.
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        self._path = Path(path).absolute()  # the program may change folders
        with self._open():
            pass

    def load(self) -> list[tuple[Key, Bucket]]:
        """Return all stored buckets with their keys."""
        with self._open() as database:
            return _rows(database)

    def add(self, rows: Iterable[tuple[Key, Bucket]], at: float, seconds: float = _BUSY) -> None:
        """Add new events, and delete those that no window at time ``at`` still covers.

        ``seconds``: the total time to wait for the locks of other processes.
        """
        until = monotonic() + seconds
        with self._open(seconds) as database:
            database.execute(f"PRAGMA busy_timeout = {_milliseconds_until(until)}")  # for the commit
            database.executemany(_ADD, [(*key, b.width, b.start, b.count.bad, b.count.total) for key, b in rows])
            database.executemany(_PRUNE, [(width, oldest(width, at)) for width, _ in RINGS])

    @contextmanager
    def _open(self, seconds: float = _BUSY) -> Iterator[sqlite3.Connection]:
        with FORK_GATE, closing(sqlite3.connect(self._path, timeout=max(seconds, 0.0))) as database, database:
            database.execute("BEGIN IMMEDIATE")  # waits here, once, and not at each statement
            database.execute(_TABLE)
            yield database


def _milliseconds_until(moment: float) -> int:
    return max(int(1000 * (moment - monotonic())), 0)


def oldest(width: int, at: float) -> int:
    """Return the start time of the oldest bucket of a width that a window at time ``at`` may cover."""
    return int(at) - dict(RINGS)[width] - width


def merged(rows: Iterable[tuple[Key, Bucket]]) -> list[tuple[Key, Bucket]]:
    """Add up the rows of each bucket, so that events waiting for an unavailable file need one row per bucket."""
    counts: dict[tuple[Key, int, int], Count] = {}
    for key, bucket in rows:
        bucket_key = (key, bucket.width, bucket.start)
        counts[bucket_key] = counts.get(bucket_key, Count()) + bucket.count
    return [(key, Bucket(width, start, count)) for (key, width, start), count in counts.items()]


class Saver:
    """Saves new events from a daemon thread. ``unsaved`` returns them, each event once."""

    def __init__(
        self, storage: Storage, unsaved: Callable[[], list[tuple[Key, Bucket]]], clock: Callable[[], float]
    ) -> None:
        self._storage = storage
        self._unsaved = unsaved
        self._clock = clock
        self._sigterm = SigtermFlush(self._save_soon)
        self.renew()
        renew_in_child(self)
        atexit.register(self._exit)
        self._sigterm.install()

    def renew(self) -> None:
        """Reset to the state without a thread. A forked child does not have the parent's thread."""
        self._starting = threading.Lock()  # only tried, never waited for
        self._saving = threading.Lock()  # always with a timeout: a signal handler may interrupt the holder
        self._wake = AutoResetEvent()
        self._skip_pause = AutoResetEvent()
        self._waiters: deque[_thread.LockType] = deque()
        self._changed = False
        self._ending = False
        self._sigterm.renew()
        self._thread: threading.Thread | None = None
        self._no_thread_at = -inf
        self._unsaved_rows: list[tuple[Key, Bucket]] = []
        self._warned = False

    def begin(self) -> None:
        """Start the thread if it does not run. Never blocks; costs one comparison if it runs."""
        if self._thread is not None or not self._starting.acquire(blocking=False):
            return
        try:
            if self._thread is None and not self._ending and monotonic() > self._no_thread_at + 1.0:
                thread = threading.Thread(target=self._run, name="l0-slo-saver", daemon=True)
                thread.start()
                self._thread = thread
        except RuntimeError:  # the limit of threads: new counts wait for the next call, or for `stop`
            self._no_thread_at = monotonic()
        finally:
            self._starting.release()

    def changed(self) -> None:
        """Wake the thread to save new events. Never blocks, unless the process is being terminated."""
        if not self._changed:
            self._changed = True
            self._wake.set()
        self._sigterm.collected()

    def _save_soon(self, seconds: float) -> None:
        """Save without a pause, and wait at most ``seconds``.

        A signal handler may call this: every wait for a lock of the interrupted thread has a timeout.
        """
        self._skip_pause.set()
        self._wait(seconds)

    def stop(self, seconds: float = STOPPING) -> None:
        """Save the remaining counts and end. Counts not saved within ``seconds`` are lost, with a warning."""
        atexit.unregister(self._exit)
        self._ending = True
        self._skip_pause.set()
        self._wake.set()
        if self._thread is None:
            self.save(min(seconds, _BUSY))
        else:
            self._thread.join(seconds)
            if self._thread.is_alive():
                _log.warning("SLO windows could not be stored within %g s: new events are lost", seconds)
        self._sigterm.remove()

    def _exit(self) -> None:
        self.stop(EXIT)

    def save(self, seconds: float = _BUSY) -> None:
        """Add new events to the file. Wait at most ``seconds`` for other users of the file.

        Warn once if that fails, and retry the events with the next save.
        """
        until = monotonic() + seconds
        if not self._saving.acquire(timeout=seconds):
            return
        try:
            self._save(until)
        finally:
            self._saving.release()

    def _save(self, until: float) -> None:
        at = self._clock()
        self._unsaved_rows = [
            row for row in self._unsaved_rows if row[1].start >= oldest(row[1].width, at)
        ] + self._unsaved()
        if not self._unsaved_rows:
            return
        try:
            self._storage.add(self._unsaved_rows, at, max(until - monotonic(), 0.0))
        except (sqlite3.Error, OSError) as error:
            if not self._warned:
                _log.warning("SLO windows are not stored (%s). Calls continue; this is logged once.", error)
            self._warned = True
            self._unsaved_rows = merged(self._unsaved_rows)
            return
        self._unsaved_rows = []

    def _wait(self, seconds: float) -> None:
        """Wait until the present events are saved or failed to be saved, for at most ``seconds``."""
        if self._thread is None:
            self.save(seconds)
            return
        saved = _thread.allocate_lock()
        saved.acquire()
        self._waiters.append(saved)
        self._wake.set()
        saved.acquire(timeout=seconds)

    def _run(self) -> None:
        while not self._ending:
            self._wake.wait(MIN_INTERVAL if self._sigterm.received and self._unsaved_rows else MAX_INTERVAL)
            self._changed = False  # before reading the counts: later events wake the thread again
            waiters = [self._waiters.popleft() for _ in range(len(self._waiters))]
            started_s = monotonic()
            self.save()
            for saved in waiters:
                saved.release()
            if not (self._ending or self._sigterm.received):
                self._skip_pause.wait(min(max(_PAUSE_RATIO * (monotonic() - started_s), MIN_INTERVAL), MAX_INTERVAL))
        self.save()
