"""Limit the work done in finalizers, signal handlers and forked children, and run the rest elsewhere.

A finalizer runs whenever the garbage collector does: on any thread, between any two instructions, even while that
thread holds a lock. So does a signal handler on the main thread. If such code waits for a lock that its own thread
holds, it never returns; and L0 cannot make the locks of OpenTelemetry's SDK, of its exporters and of the user's
observers re-entrant. Hence:

- **In a finalizer** (a `relay` that is closed by GeneratorExit, ``__del__`` of `ObservedByteStream` and of
  `streams.stream`) only `CallRuntime.abandon` and `Later.put` run: the machine's last step (pure), the metadata of
  the answer, and an append to a deque. They wait for no lock, notify no observer, close nothing and log nothing. A
  separate thread completes the end (observers, breaker, budget, objectives, the connection) a moment later; if no
  thread can be started, the next call or the end of the process does.
- **In a signal handler** user code may close streams and make calls. If the handler, or another library's finalizer,
  has interrupted code that holds locks (`interrupted`), the observers of such a call are notified of its end later,
  as above; else at once. Our own locks are re-entrant (`threading.RLock`), held for O(1) work, and the state that
  they guard stays consistent if they are entered twice.
  SIGTERM itself runs `shared_state.termination.SigtermFlush.terminate` if SLO windows, recordings or telemetry wait.
- **In a forked child** every lock of ours is new (`shared_state.forks`), also those of the configuration and of the
  patches. The parent completes the work that was waiting.
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
from time import monotonic, perf_counter
from typing import TYPE_CHECKING, Any

from l0 import shared_state
from l0.engine.commands import Raise
from l0.engine.machine import CallState
from l0.engine.signals import Closed
from l0.model.call import Outcome
from l0.model.errors import raised
from l0.shared_state.auto_reset_event import AutoResetEvent
from l0.shared_state.forks import renew_in_child

if TYPE_CHECKING:
    from l0.engine.commands import Command
    from l0.model.failure import Failure

    from .call_runtime import CallRuntime

_log = logging.getLogger("l0")
Work = Callable[[], object]

_LINGER_S = 0.25
"""Seconds for which the thread waits for more work before it ends."""
_LOCK_HOLDERS = (
    f"{shared_state.__name__}.",
    "l0.runtime.watchdog",
    "l0.console",
    "l0.console.call_tally",
    "opentelemetry.sdk.",
    "queue",
    "logging",
)
"""Modules whose functions may be interrupted while they hold a lock that the end of a call needs."""


class Later:
    """A queue of work that must not run where it arises. `put` is safe anywhere."""

    def __init__(self) -> None:
        self.renew()
        renew_in_child(self)

    def renew(self) -> None:
        """Reset the queue in a forked child: the waiting work and the thread belong to the parent."""
        self.waiting: deque[Work] = deque()
        """The work that is still to be done."""
        self._wake = AutoResetEvent()
        self._thread_runs = threading.Lock()  # held while a thread runs; nobody waits for it
        self._working = threading.RLock()

    def put(self, work: Work) -> None:
        """Run ``work`` on another thread. Its exceptions are logged at level DEBUG."""
        self.waiting.append(work)
        self._wake.set()
        self._start()

    def make_progress(self) -> None:
        """Start a thread for waiting work at the beginning of a call, or do the work here."""
        if not self._start() and self._working.acquire(blocking=False):
            try:
                self._do()
            finally:
                self._working.release()

    def finish(self, seconds: float = -1) -> bool:
        """Wait up to ``seconds`` (-1: no limit) for work in progress, then do the waiting work. Return True if nothing
        is left."""
        if not self._working.acquire(timeout=seconds):
            return False
        try:
            self._do()
        finally:
            self._working.release()
        return True

    def end(self, seconds: float) -> bool:
        """Complete all waiting work at the end of the process, within ``seconds``. Return True if all of it is done.

        Work may hang, so a thread does it if one runs. Newer Pythons start no threads at this point: then the work is
        done here, one piece at a time, and no piece is begun after ``seconds``.
        """
        until = monotonic() + seconds
        if not self.waiting and not self._thread_runs.locked():
            return True
        done = _thread.allocate_lock()
        done.acquire()
        self.waiting.append(done.release)
        self._wake.set()
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
        """Start the thread unless it runs. Return False if that fails. Waits for no lock, unlike `threading.Thread`."""
        if not self._thread_runs.acquire(blocking=False):
            return True
        try:
            _start_thread(self._run)
        except RuntimeError:  # the thread limit, or interpreter shutdown
            self._thread_runs.release()
            return False
        return True

    def _run(self) -> None:
        while True:
            while self._wake.wait(_LINGER_S):
                self.finish()
            self._thread_runs.release()
            if not self.waiting or not self._thread_runs.acquire(blocking=False):
                return

    def _do(self, until: float = inf) -> None:
        while self.waiting and monotonic() < until:
            try:
                work = self.waiting.popleft()
            except IndexError:  # another thread took it
                return
            try:
                work()
            except Exception:
                _log.debug("the end of an abandoned call failed: %s", raised())


def _start_thread(run: Callable[[], None]) -> None:
    _thread.start_new_thread(run, ())


LATER = Later()
_EXIT_WAIT_S = 0.5
"""Seconds for which the end of the process waits, while ends of calls are reported."""
# Runs before other libraries' `atexit` hooks if possible, because those end the export of spans.
with suppress(RuntimeError):  # imported while the process ends
    getattr(threading, "_register_atexit", atexit.register)(partial(LATER.end, _EXIT_WAIT_S))


def interrupted() -> bool:
    """Return True if the current code interrupted a function that may hold a lock. A signal handler or the garbage
    collector can do that."""
    frame = sys._getframe(1)
    while frame is not None:
        if str(frame.f_globals.get("__name__", "")).startswith(_LOCK_HOLDERS):
            return True
        frame = frame.f_back  # type: ignore[assignment]  # None at the end
    return False


def call_when_safe(do: Callable[..., object], *arguments: Any) -> None:
    """Call ``do`` at once; later if the current code has `interrupted` a function that may hold a lock."""
    if interrupted():
        LATER.put(partial(do, *arguments))
    else:
        do(*arguments)


def stop(runtime: CallRuntime, *, later: bool, release: Work | None = None) -> None:
    """End a call that its user stopped. Step the machine at once, do the work that takes locks now or ``later``, then
    run ``release``.

    Final, and safe to call at any time.
    """
    work: list[Work] = []
    complete, so_far = runtime.complete, runtime.answer
    failure = so_far.delivered_failure
    if complete is not None:
        if runtime.ending.claim(complete[0].outcome):
            runtime.record_end(complete[0].outcome, None, complete[1])
            text, calls = (so_far.text, so_far.tool_calls) if runtime.observers.observed else ("", ())
            work.append(partial(runtime.report_end, *complete, text, calls))
    elif runtime.ending.claim(Outcome.CANCELLED if failure is None else Outcome.FAILED):
        at = perf_counter()
        waiting = runtime.machine.state is CallState.WAITING
        command = runtime.machine.step(Closed(at))
        if failure is not None:
            runtime.machine.add_failure(failure)
            command = Raise(failure)
        runtime.record_end(Outcome.CANCELLED if failure is None else Outcome.FAILED, failure, at)
        answer = (so_far.metadata, so_far.text, so_far.tool_calls) if runtime.observers.observed else (None, "", ())
        work.append(partial(_report, runtime, command, at, answer, failure, waiting=waiting))
    if release is not None:
        work.append(release)
    for action in work:
        if later:
            LATER.put(action)
        else:
            action()


def _report(
    runtime: CallRuntime,
    command: Command,
    at: float,
    answer: tuple[Any, str, Any],
    failure: Failure | None,
    *,
    waiting: bool,
) -> None:
    # Does nothing if no attempt is in progress, as during a backoff.
    runtime.attempt_ended(failure, at, abandoned=failure is None)
    if runtime.shadow is not None and not waiting:
        runtime.shadow.abandoned()
    runtime.report_end(command, at, *answer)
