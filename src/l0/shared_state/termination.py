"""Save state at SIGTERM before passing the signal on.

`atexit` is not enough: a signal with the default handler kills the process without it. uvicorn, after an orderly
shutdown, restores the previous handlers and raises the signal again.

SIGINT needs no handler: Python turns it into `KeyboardInterrupt`, after which `atexit` runs. asyncio handles Ctrl-C
only if the handler of SIGINT is Python's own.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from time import monotonic
from types import FrameType
from typing import Any

WAIT_S = 0.3
"""Maximum time in s that the handler of SIGTERM, or the end of a call after it, waits for a flush."""
BUDGET_S = 2.0
"""Maximum time in s that all calls after SIGTERM wait for one `SigtermFlush`: they may share one event loop, and the
disk or the network may be slow."""


class TerminationHandler:
    """A handler that calls ``before`` at SIGTERM and then the previously installed handler.

    ``before`` runs between any two instructions of the main thread, so it must not wait for a lock that this thread may
    hold. A signal that interrupts ``before`` takes effect when that returns: ``before`` always finishes, and never runs
    within itself. If it raises, the signal takes effect nevertheless. If SIGTERM is ignored, or handled by a library in
    C, nothing is installed.
    """

    def __init__(self, before: Callable[[], object]) -> None:
        self._before = before
        self.previous: Any = None
        self._installed = False
        self._running = self._postponed = False

    def install(self) -> bool:
        """Install the handler in front of the present one. Return False if that is not possible, as in a thread."""
        if threading.current_thread() is not threading.main_thread():
            return False
        previous = signal.getsignal(signal.SIGTERM)
        if previous is None or previous is signal.SIG_IGN:
            return False
        self.previous, self._installed = previous, True
        try:
            signal.signal(signal.SIGTERM, self._handle)
        except ValueError:  # a subinterpreter
            self._installed = False
        return self._installed

    @property
    def is_installed(self) -> bool:
        """True if SIGTERM reaches this handler through no handlers but those of this module."""
        return self._installed and self in _own_chain(signal.getsignal(signal.SIGTERM))

    @property
    def kills(self) -> bool:
        """True if the process dies once this handler has passed the signal on."""
        return _own_chain(self._handle)[-1].previous is signal.SIG_DFL

    def remove(self) -> None:
        """Restore the previous handler.

        If a handler of other code was installed in front, or this is not the main thread, the handler stays: from now
        on it only passes signals on.
        """
        if self._installed:
            current = signal.getsignal(signal.SIGTERM)
            for in_front in _own_chain(current):
                if in_front.previous == self._handle:
                    in_front.previous = self.previous
            if current == self._handle:
                with suppress(ValueError):  # not the main thread
                    signal.signal(signal.SIGTERM, self.previous)
        self._installed = False

    def run(self) -> None:
        """Call ``before`` for another reason than the signal, as at the end of the process. Only on the main thread."""
        try:
            self._run()
        finally:
            if self._postponed:
                self._pass_on(signal.SIGTERM, None)

    def _run(self) -> None:
        self._running = True
        try:
            self._before()
        finally:
            self._running = False

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self._running:
            self._postponed = True
            return
        try:
            if self._installed:
                self._run()
        finally:
            self._pass_on(number, frame)

    def _pass_on(self, number: int, frame: FrameType | None) -> None:
        self._postponed = False
        if callable(self.previous):
            self.previous(number, frame)
        elif self.previous is not signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)


def _own_chain(handler: Any) -> list[TerminationHandler]:
    """Return the handlers of this module from ``handler`` on, up to the first one of other code."""
    chain: list[TerminationHandler] = []
    while isinstance(owner := getattr(handler, "__self__", None), TerminationHandler):
        chain.append(owner)
        handler = owner.previous
    return chain


class SigtermFlush:
    """Flushes what a process has collected at SIGTERM, and from then on at the end of each call.

    A server serves its running requests to their end after SIGTERM, and may then die without `atexit`: uvicorn restores
    the default handler and raises the signal again.

    ``flush``: starts a flush, and waits at most the given time in s. ``end``: ends the collecting, if the signal kills
    the process at once; it may be called within itself, if the signal comes while the process ends by itself.
    """

    def __init__(self, flush: Callable[[float], object], end: Callable[[], object] | None = None) -> None:
        self._flush = flush
        self._end = end
        self._handler = TerminationHandler(self.terminate)
        self.renew()

    def renew(self) -> None:
        """Forget, in a forked child, the signal that its parent received."""
        self.received = False
        self._budget_s = BUDGET_S

    def install(self) -> None:
        """Install the handler, unless it is installed. Without effect if this is not the main thread."""
        if not self._handler.is_installed:
            self._handler.install()

    def remove(self) -> None:
        """Remove the handler, as `TerminationHandler.remove`."""
        self._handler.remove()
        if self in FLUSHES:
            FLUSHES.remove(self)

    def terminate(self) -> None:
        """Flush because SIGTERM has come."""
        if self._end is not None and self._handler.kills:
            self._end()
            return
        self.received = True
        if self not in FLUSHES:
            FLUSHES.append(self)
        self._flush(WAIT_S)

    def collected(self) -> None:
        """Flush what was collected after SIGTERM. Does nothing before the signal, and once the budget is used up."""
        if self.received and self._budget_s > 0:
            started_s = monotonic()
            self._flush(min(WAIT_S, self._budget_s))
            self._budget_s -= monotonic() - started_s


FLUSHES: list[SigtermFlush] = []
"""Those that SIGTERM has reached. Empty while the process runs as usual."""


def call_collected() -> None:
    """Flush what a call that has ended left. Call this if there are `FLUSHES`."""
    for each in tuple(FLUSHES):
        each.collected()


def at_end_of_worker(end: Callable[[], object]) -> bool:
    """Call ``end`` when a worker of multiprocessing or Celery ends by itself: a forked one ends without `atexit`.

    Return False in any other process. Call this once the worker runs: multiprocessing drops earlier registrations.
    """
    return _at_end_of_multiprocessing_worker(end) or _at_end_of_celery_worker(end)


def _at_end_of_multiprocessing_worker(end: Callable[[], object]) -> bool:
    process, util = sys.modules.get("multiprocessing.process"), sys.modules.get("multiprocessing.util")
    if process is None or util is None or process.parent_process() is None:
        return False
    util.Finalize(None, end, exitpriority=0)
    return True


def _at_end_of_celery_worker(end: Callable[[], object]) -> bool:
    """Use Celery's signal: its pool, a fork of multiprocessing called billiard, runs no finalizers in a worker."""
    process, signals = sys.modules.get("billiard.process"), sys.modules.get("celery.signals")
    if process is None or signals is None or process.current_process().name == "MainProcess":
        return False
    signals.worker_process_shutdown.connect(lambda **_: end(), weak=False)
    return True
