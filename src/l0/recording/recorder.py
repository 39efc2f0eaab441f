"""Record calls: collect events without waiting, and write them to files on one thread."""

from __future__ import annotations

import atexit
import logging
import os
import threading
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from random import Random
from time import monotonic, sleep, time
from typing import Any

from l0.model.call import Call
from l0.model.errors import raised
from l0.model.ports import CallObserver, trace_ids_of
from l0.shared_state.auto_reset_event import AutoResetEvent
from l0.shared_state.forks import FORK_GATE, renew_in_child
from l0.shared_state.signal_safe_event import SignalSafeEvent
from l0.shared_state.termination import SigtermFlush, at_end_of_worker

from .call_recorder import CallRecorder
from .recording_events import CallBegan, Exchanged, Read, RecordingEvent, event_of
from .recording_files import RecordingFiles
from .recording_options import RecordingOptions

_log = logging.getLogger("l0")
_INTERVAL_S = 0.25
"""Seconds between two transactions. A killed process loses the events since the last one."""
_POLL_S = 0.005
_EXIT_S = 2.0
"""Seconds that the end of the process waits for the last transaction."""
_inherited: list[object] = []
"""Files that a forked child inherited. Closing them there would release the locks of its parent."""


class FlightRecorder:
    """Records the calls of this process. Callers append to a queue; one daemon thread writes.

    The recorder never blocks a call and never fails one. If it cannot write, it logs one warning and stops.
    """

    def __init__(self, options: RecordingOptions) -> None:
        self.options = options
        self._folder = Path(options.folder).absolute()  # the program may change folders
        self.interval_s = _INTERVAL_S
        self.waiting_bytes = 0
        """The bytes of reads and requests that wait to be written. Approximate: calls add to it without a lock."""
        self.stopped = False
        self._files: RecordingFiles | None = None
        self.sigterm = SigtermFlush(self.flush, self._end)
        self.renew()
        renew_in_child(self)
        atexit.register(self._end)
        self.sigterm.install()

    def renew(self) -> None:
        """Start over in a forked child, with its own file. What was collected before the fork, the parent writes."""
        if self._files is not None:
            _inherited.append(self._files)
        self._files = None
        self._events: deque[tuple[Any, ...]] = deque()  # in the form that `event_of` accepts
        self._random_bits = Random().getrandbits
        self._guard = threading.Lock()
        # SIGTERM may interrupt `set` with a `close`, which waits for the thread. `threading.Event.set` holds a lock
        # that the thread needs.
        self._wake = AutoResetEvent()
        self._closing = False
        self._flush_waiters: deque[SignalSafeEvent] = deque()
        self._thread: threading.Thread | None = None
        self._over_limit = False
        self.waiting_bytes = 0
        self.sigterm.renew()

    def record(self, call: Call, observers: Sequence[CallObserver], at: float) -> CallRecorder | None:
        """Return the recorder of one call, which began ``at``; ``None`` if nothing can be recorded."""
        if self.stopped or (self._thread is None and not self._start()):
            return None
        trace_id, span_id = trace_ids_of(observers)
        id_ = "%016x" % self._random_bits(64)  # noqa: UP031 - it takes half the time of an f-string
        append = self._events.append
        append((CallBegan, id_, at, time(), call, trace_id, span_id))
        return CallRecorder(id_, self, append)

    def over_limit(self) -> None:
        """Log, once, that reads are dropped because they arrive faster than they can be written."""
        if not self._over_limit and not self.stopped:
            self._over_limit = True
            _log.warning("the recording of calls lags behind: reads of some calls are dropped (memory_bytes)")

    def flush(self, timeout_s: float = 5.0) -> None:
        """Write what has been collected so far. Waits for at most ``timeout_s`` seconds."""
        if self._thread is not None and not self.stopped:
            done = SignalSafeEvent()
            self._flush_waiters.append(done)
            self._wake.set()
            done.wait(timeout_s)

    def close(self, timeout_s: float = 5.0) -> None:
        """Write what has been collected, and stop. Waits for at most ``timeout_s`` seconds."""
        atexit.unregister(self._end)
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            if not self._closing:
                self._closing = True
                self._wake.set()
            # SIGTERM may interrupt a close with another one, so this must not wait for a lock (as `Thread.join` does).
            give_up_at = monotonic() + timeout_s
            while thread.is_alive() and monotonic() < give_up_at:
                sleep(_POLL_S)
            if thread.is_alive():
                folder = os.fspath(self.options.folder)
                _log.warning("the newest calls may be missing in %s: writing them took over %g s", folder, timeout_s)
        if thread is None or not thread.is_alive():  # nobody takes events from the queue any more
            self._events.clear()
        self._closing = self.stopped = True
        self.sigterm.remove()  # only now: the pool of a worker that is ending may send SIGTERM

    def _end(self) -> None:
        """Write what has been collected, at the end of the process."""
        self.close(_EXIT_S)

    def _start(self) -> bool:
        """Start the thread, unless another thread, or the code that a signal handler interrupted, is doing so."""
        if not self._guard.acquire(blocking=False):
            return True
        try:
            if self._thread is None:
                thread = threading.Thread(target=self._run, name="l0-recorder", daemon=True)
                thread.start()
                self._thread = thread
                at_end_of_worker(self._end)
                self.sigterm.install()  # a server's worker has replaced the handlers of its parent
        except RuntimeError as error:  # the thread limit, or interpreter shutdown
            self._stop(str(error))
            return False
        finally:
            self._guard.release()
        return True

    def _stop(self, reason: str) -> None:
        self.stopped = True
        self._events.clear()
        for done in [*self._flush_waiters]:
            done.set()
        _log.warning("calls are not recorded any more in %s: %s", os.fspath(self.options.folder), reason)

    # -- on the recorder's thread -----------------------------------------------------------------------------------

    def _run(self) -> None:
        wake = self._wake
        try:
            with FORK_GATE:
                self._files = files = RecordingFiles(replace(self.options, folder=self._folder))
            while not self._closing:
                wake.wait(self.interval_s)
                with FORK_GATE:
                    self._write(files)
            with FORK_GATE:
                self._write(files)
                files.close()
        except Exception:
            self._stop(raised())
            with FORK_GATE:
                self._abandon()

    def _abandon(self) -> None:
        """Close the files of a recording that failed. That may fail for the same reason, and was reported."""
        if self._files is not None:
            with suppress(Exception):
                self._files.abandon()

    def _write(self, files: RecordingFiles) -> None:
        # Before the events, so that a waiter's events are in this batch.
        waiters = [self._flush_waiters.popleft() for _ in range(len(self._flush_waiters))]
        events = self._events
        batch = [event_of(events.popleft()) for _ in range(len(events))]
        files.write(batch)
        written = sum(map(_bytes_in, batch))
        self.waiting_bytes = self.waiting_bytes - written if events else 0  # exact again whenever nothing waits
        for done in waiters:
            done.set()


def _bytes_in(event: RecordingEvent) -> int:
    if type(event) is Read:
        return len(event.data)
    return len(event.body or b"") if type(event) is Exchanged else 0
