"""Windows that outlive the process: buckets of counts in SQLite.

Calls do not wait for the disk: one daemon thread adds new events as soon as there are any. A process that is killed so
loses no more than the events of a moment. SIGTERM loses none: after it, each call waits a moment for its events to be
saved (`Saver.terminate`). Several processes may share a file, as counts are added to what is there; each begins with
the history of all of them.

A journal that every call writes to by itself would survive even a kill. But a write can block: while the disk is busy,
on a network file system for as long as the network is away; and it would block the event loop of the application.
"""

from __future__ import annotations

import _thread
import atexit
import logging
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from math import inf
from os import PathLike, fspath
from queue import Empty, SimpleQueue
from time import monotonic

from l0.slo.burn import Count
from l0.slo.rolling_windows import RINGS, Bucket

from .forks import renew_in_child
from .termination import TerminationHandler

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
"""Seconds that `Saver.stop` may take."""
EXIT = 0.5
"""Seconds that it may take at the end of the process: others have to end as well."""
TERMINATING = 0.3
"""Seconds that SIGTERM, and the end of each call after it, may wait for a save."""
PATIENCE = 2.0
"""Seconds that all these ends of calls may wait together: they may share one event loop, and the disk may be slow."""
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

    def add(self, rows: Iterable[tuple[Key, Bucket]], at: float, seconds: float = _BUSY) -> None:
        """Add new events, and forget those that no window at ``at`` reaches any more.

        ``seconds``: the time to wait for the locks of other processes, all together.
        """
        until = monotonic() + seconds
        with self._open(seconds) as database:
            database.execute(f"PRAGMA busy_timeout = {_milliseconds_until(until)}")  # for the commit
            database.executemany(_ADD, [(*key, b.width, b.start, b.count.bad, b.count.total) for key, b in rows])
            database.executemany(_PRUNE, [(width, oldest(width, at)) for width, _ in RINGS])

    @contextmanager
    def _open(self, seconds: float = _BUSY) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self._path, timeout=max(seconds, 0.0))) as database, database:
            database.execute("BEGIN IMMEDIATE")  # waits here, once, and not at each statement
            database.execute(_TABLE)
            yield database


def _milliseconds_until(moment: float) -> int:
    return max(int(1000 * (moment - monotonic())), 0)


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
    """Stores new events, now and then. ``unsaved`` returns them, each event once."""

    def __init__(
        self, storage: Storage, unsaved: Callable[[], list[tuple[Key, Bucket]]], clock: Callable[[], float]
    ) -> None:
        self._storage = storage
        self._unsaved = unsaved
        self._clock = clock
        self.renew()
        renew_in_child(self)
        atexit.register(self._exit)
        self._handler = TerminationHandler(self.terminate)
        self._handler.install()

    def renew(self) -> None:
        """No thread yet; in a child the parent's is gone."""
        self._starting = threading.Lock()  # never waited for
        self._saving = threading.Lock()  # waited for within limits only: a signal may interrupt who holds it
        # The queue of C: its `put` may interrupt itself, which `threading.Event.set` must not.
        self._wake: SimpleQueue[None] = SimpleQueue()
        self._hurry: SimpleQueue[None] = SimpleQueue()
        self._waiters: deque[_thread.LockType] = deque()
        self._changed = False
        self._ending = False
        self._terminating = False
        self._patience = PATIENCE
        self._thread: threading.Thread | None = None
        self._refused = -inf
        self._missed: list[tuple[Key, Bucket]] = []
        self._warned = False

    def begin(self) -> None:
        """Make sure that the thread runs. Costs a look where it does, and waits for nothing."""
        if self._thread is not None or not self._starting.acquire(blocking=False):
            return
        try:
            if self._thread is None and not self._ending and monotonic() > self._refused + 1.0:
                thread = threading.Thread(target=self._run, name="l0-slo-saver", daemon=True)
                thread.start()
                self._thread = thread
        except RuntimeError:  # the limit of threads: what is new waits for the next call, or for `stop`
            self._refused = monotonic()
        finally:
            self._starting.release()

    def changed(self) -> None:
        """There is something new. Waits for nothing, but for a save once the process is being terminated."""
        if not self._changed:
            self._changed = True
            self._wake.put(None)
        if self._terminating and self._patience > 0:
            began = monotonic()
            self._wait(min(TERMINATING, self._patience))
            self._patience -= monotonic() - began

    def terminate(self) -> None:
        """Save at once, and wait for that a moment; from now on, each call waits for its own events as well.

        For a signal handler: waits for no lock of the thread that it interrupts without a limit.
        """
        self._terminating = True
        self._hurry.put(None)
        self._wait(TERMINATING)

    def stop(self, seconds: float = STOPPING) -> None:
        """Save what is left, and end; in ``seconds``, or not at all. What cannot be saved by then is lost, with a
        warning."""
        atexit.unregister(self._exit)
        self._handler.remove()
        self._ending = True
        self._hurry.put(None)
        self._wake.put(None)
        if self._thread is None:
            self.save(min(seconds, _BUSY))
            return
        self._thread.join(seconds)
        if self._thread.is_alive():
            _log.warning("SLO windows could not be stored within %g s: what was new is lost", seconds)

    def _exit(self) -> None:
        self.stop(EXIT)

    def save(self, seconds: float = _BUSY) -> None:
        """Add what is new to the file, and wait for others that use it at most ``seconds``.

        What could not be written is tried again next time; one warning says so.
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
        self._missed = [row for row in self._missed if row[1].start >= oldest(row[1].width, at)] + self._unsaved()
        if not self._missed:
            return
        try:
            self._storage.add(self._missed, at, max(until - monotonic(), 0.0))
        except (sqlite3.Error, OSError) as error:
            if not self._warned:
                _log.warning("SLO windows are not stored (%s). Calls go on; this is said once.", error)
            self._warned = True
            self._missed = merged(self._missed)
            return
        self._missed = []

    def _wait(self, seconds: float) -> None:
        """Wait until all that is new now is saved, or could not be; at most ``seconds``."""
        if self._thread is None:
            self.save(seconds)
            return
        saved = _thread.allocate_lock()
        saved.acquire()
        self._waiters.append(saved)
        self._wake.put(None)
        saved.acquire(timeout=seconds)

    def _run(self) -> None:
        while not self._ending:
            with suppress(Empty):
                self._wake.get(timeout=APART if self._terminating and self._missed else EVERY)
            self._changed = False  # before the look: what comes meanwhile wakes it once more
            waiters = [self._waiters.popleft() for _ in range(len(self._waiters))]
            began = monotonic()
            self.save()
            for saved in waiters:
                saved.release()
            if not (self._ending or self._terminating):
                with suppress(Empty):
                    self._hurry.get(timeout=min(max(_SHARE * (monotonic() - began), APART), EVERY))
        self.save()
