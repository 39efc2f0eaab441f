"""What may run in a finalizer, a signal handler and a forked child, and where the rest of it goes.

A finalizer runs where the garbage collector does: on any thread, between any two instructions, also while that thread
holds a lock. A signal handler does the same on the main thread. Whoever takes a lock there that their own thread holds
waits for ever; and the locks of OpenTelemetry's SDK, of its exporters and of the user's observers are not ours to make
re-entrant. Hence:

- **In a finalizer** (a `relay` that is closed by GeneratorExit, ``__del__`` of `ObservedByteStream` and of
  `streams.stream`) run `CallRuntime.abandon` and `Later.put` alone: the machine's last step (pure), the facts of
  the answer, and an append to a deque. No lock is waited for, no observer is told, nothing is closed or logged. The
  rest of the end (observers, breaker, budget, objectives, the connection) is run by a thread of its own a moment later;
  where none can be started, by the next call or at the end of the process.
- **In a signal handler** streams may be closed, and calls made. Where the handler, or a finalizer of somebody else's,
  has interrupted code that holds locks (`interrupted`), the observers of such a call are told of its end later, as
  above; else at once. Our own locks are re-entrant (`threading.RLock`), held for O(1) work, and what they guard stays
  sound when a second round comes in between.
  SIGTERM itself runs `shared_state.slo_storage.Saver.terminate` if SLO windows are stored.
- **In a forked child** every lock of ours is new (`shared_state.forks`), also those of the configuration and of the
  patches. What waited here is the parent's to tell.
"""

from __future__ import annotations

import _thread
import atexit
import logging
import sys
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from math import inf
from queue import Empty, SimpleQueue
from time import monotonic, perf_counter
from typing import TYPE_CHECKING, Any

from l0 import shared_state
from l0.engine.machine import CallState
from l0.engine.signals import Closed
from l0.model.call import Outcome
from l0.model.errors import raised
from l0.shared_state.forks import renew_in_child

if TYPE_CHECKING:
    from l0.engine.commands import Command

    from .call_runtime import CallRuntime

_log = logging.getLogger("l0")
Work = Callable[[], object]

_LINGER = 0.25
"""Seconds that the thread waits for more."""
_HOLDERS = (f"{shared_state.__name__}.", "l0.runtime.watchdog", "opentelemetry.sdk.", "queue", "logging")
"""Modules whose functions may have been interrupted while they hold a lock that the end of a call needs."""


class Later:
    """Work that must not be done where it comes up. `put` is safe anywhere."""

    def __init__(self) -> None:
        self.renew()
        renew_in_child(self)

    def renew(self) -> None:
        """Nothing waits, and no thread runs: in a child both are the parent's."""
        self.waiting: deque[Work] = deque()
        """What is still to be done."""
        self._wake: SimpleQueue[None] = SimpleQueue()  # the one queue of the library whose `put` is re-entrant
        self._runs = threading.Lock()  # never waited for: who cannot have it leaves
        self._working = threading.RLock()

    def put(self, work: Work) -> None:
        """Have ``work`` done on another thread. What it raises is dropped."""
        self.waiting.append(work)
        self._wake.put(None)
        self._start()

    def help(self) -> None:
        """At the begin of a call, where something waits: a thread is made for it, or it is done here."""
        if not self._start() and self._working.acquire(blocking=False):
            try:
                self._do()
            finally:
                self._working.release()

    def finish(self, seconds: float = -1) -> bool:
        """Do what waits, and wait for what is being done; at most ``seconds`` for that. Whether nothing is left."""
        if not self._working.acquire(timeout=seconds):
            return False
        try:
            self._do()
        finally:
            self._working.release()
        return True

    def end(self, seconds: float) -> bool:
        """At the end of the process: have all that waits done, in ``seconds`` or not at all. Return whether it is.

        Work may hang, so a thread does it if there is one. Newer Pythons start none by then: one piece of work at a
        time is done here, and none is begun after ``seconds``.
        """
        until = monotonic() + seconds
        if not self.waiting and not self._runs.locked():
            return True
        done = _thread.allocate_lock()
        done.acquire()
        self.waiting.append(done.release)
        self._wake.put(None)
        if self._start():
            return done.acquire(timeout=seconds)
        if not self._working.acquire(timeout=seconds):
            return False
        try:
            self._do(until)
        finally:
            self._working.release()
        return not self.waiting

    def _start(self) -> bool:
        """Whether a thread is at it, or is not needed. `threading.Thread` takes locks; this does not."""
        if not self._runs.acquire(blocking=False):
            return True
        try:
            _start_thread(self._run)
        except RuntimeError:  # the limit of threads, or the interpreter's end
            self._runs.release()
            return False
        return True

    def _run(self) -> None:
        while True:
            with suppress(Empty):
                while True:
                    self._wake.get(timeout=_LINGER)
                    self.finish()
            self._runs.release()
            if not self.waiting or not self._runs.acquire(blocking=False):
                return

    def _do(self, until: float = inf) -> None:
        while self.waiting and monotonic() < until:
            try:
                work = self.waiting.popleft()
            except IndexError:  # another thread was quicker
                return
            try:
                work()
            except Exception:
                _log.debug("the end of an abandoned call failed: %s", raised())


def _start_thread(run: Callable[[], None]) -> None:
    _thread.start_new_thread(run, ())


LATER = Later()
_EXIT = 0.5
"""Seconds that the end of the process waits for ends that are being told."""
# Where it can be before other libraries' own `atexit`, which end the export of spans.
with suppress(RuntimeError):  # who imports this while the process ends
    getattr(threading, "_register_atexit", atexit.register)(partial(LATER.end, _EXIT))


def interrupted() -> bool:
    """Whether the present code was called in the middle of a function that may hold a lock: by a signal, or by the
    garbage collector."""
    frame = sys._getframe(1)
    while frame is not None:
        if str(frame.f_globals.get("__name__", "")).startswith(_HOLDERS):
            return True
        frame = frame.f_back  # type: ignore[assignment]  # None at the end
    return False


def soon(do: Callable[..., object], *arguments: Any) -> None:
    """At once; later where what is being done now was `interrupted`."""
    if interrupted():
        LATER.put(partial(do, *arguments))
    else:
        do(*arguments)


def stop(runtime: CallRuntime, *, later: bool, release: Work | None = None) -> None:
    """End a call that its user stopped: the machine at once, whatever takes locks now or ``later``, then ``release``.

    Final, and safe to call at any time.
    """
    work: list[Work] = []
    if runtime.ending.claim(Outcome.CANCELLED):
        at = perf_counter()
        waiting = runtime.machine.state is CallState.WAITING
        command = runtime.machine.step(Closed(at))
        answer = (runtime.metadata, runtime.text, runtime.calls) if runtime.observers.observed else (None, "", ())
        work.append(partial(_report, runtime, command, at, answer, waiting=waiting))
    if release is not None:
        work.append(release)
    for one in work:
        if later:
            LATER.put(one)
        else:
            one()


def _report(runtime: CallRuntime, command: Command, at: float, answer: tuple[Any, str, Any], *, waiting: bool) -> None:
    runtime.attempt_ended(None, at, abandoned=True)  # does nothing if the attempt has ended, as it has in a backoff
    if runtime.shadow is not None and not waiting:
        runtime.shadow.abandoned()
    runtime.report_end(command, at, *answer)
