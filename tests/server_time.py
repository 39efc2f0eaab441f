"""Real calls to a simulator in virtual time: the real SDK, L0 and sockets, on a clock that moves only while all wait.

Use it for calls that need a server; `virtual_time` is for asyncio code without one.

The clock moves to the next time at which a timer is due, once the simulator, the caller and the threads of hedged
requests wait, and nothing that was sent is unread. Each reading by L0 also moves it by a microsecond. So limits expire
after the silence that a script asks for, and never because a thread had to wait for a processor.
"""

import asyncio
import contextlib
import select
import selectors
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from math import inf
from time import monotonic, sleep
from typing import Any

import pytest
import trio
from virtual_time import load_engine

from l0.runtime import async_deadlines, hedge
from l0.runtime.watchdog import WATCHDOG
from l0.shared_state.auto_reset_event import AutoResetEvent
from l0.stainless import send_deadlines

_LOOK_S = 0.002
"""Real seconds between two checks of what a thread waits for."""
_TICK_S = 1e-6
"""Seconds by which each reading by L0 moves the clock: no step takes exactly no time, as outside of tests."""
_HANGS_S = 120
"""Real seconds that only a hang exceeds."""
_WORKERS = ("l0-attempt-", "l0-direct-proof")
"""The names of the threads that L0 starts for a call, and on which the call waits."""


@dataclass(frozen=True, slots=True, eq=False)
class _Wait:
    """One wait of one thread. ``ended``: takes a number of real seconds; returns True if the wait ends within them.
    ``due``: returns the virtual time at which it ends by itself."""

    ended: Callable[[float], bool]
    due: Callable[[], float]


class ServerTime:
    """The clock of L0, of its transports and of event loops, such as that of a simulator."""

    def __init__(self) -> None:
        self._now = 1000.0
        self._lock = threading.RLock()  # a finalizer may read the clock at any time
        self._waits: dict[int | None, _Wait] = {}
        self._clocked_threads: set[threading.Thread] = set()
        self._threads_before: set[threading.Thread] = set()
        self._loops: list[asyncio.AbstractEventLoop] = []

    def time(self) -> float:
        """Return the time, in seconds."""
        return self._now

    def loop(self) -> asyncio.AbstractEventLoop:
        """Return a new event loop with this clock, for the current thread."""
        loop = _Loop(self)
        self._clocked_threads.add(threading.current_thread())
        self._loops.append(loop)
        return loop

    @contextlib.contextmanager
    def kept(self) -> Iterator[None]:
        """During this block, L0 uses this clock for calls of the current thread. Event loops created in it, such as the
        simulator's, use it too."""
        modules = load_engine()  # a module that a call imports later would keep the real clock
        self._clocked_threads.add(threading.current_thread())
        self._threads_before = set(threading.enumerate())
        names = {thread.name for thread in self._threads_before}
        assert "l0-simulator" not in names, "a simulator started with another time"
        event, stop = partial(_Event, self), threading.Event()
        clock = threading.Thread(target=self._run, args=[stop], name="clock")
        with pytest.MonkeyPatch.context() as patch:
            for module in modules:
                if hasattr(module, "perf_counter"):
                    patch.setattr(module, "perf_counter", self._tick)
            # Limits of a send expire a minute later than those of the watchdog, which is to end a read first.
            patch.setattr(send_deadlines, "perf_counter", lambda: self._now - 60)
            patch.setattr(hedge, "AutoResetEvent", event)
            patch.setattr(async_deadlines, "AutoResetEvent", event)
            patch.setattr(socket.socket, "recv", _receiving(self))
            for module in (asyncio, asyncio.events):
                patch.setattr(module, "new_event_loop", self.loop)
            patch.setattr(trio._core._run, "SystemClock", partial(_TrioClock, self))
            clock.start()
            try:
                yield
            finally:
                stop.set()
                clock.join()

    @contextlib.contextmanager
    def waiting(
        self, ended: Callable[[float], bool] = lambda _: False, due: Callable[[], float] = lambda: inf
    ) -> Iterator[None]:
        """Allow the clock to move during this block, because the current thread waits: by default for others."""
        thread = threading.get_ident()
        self._waits[thread] = _Wait(ended, due)
        try:
            yield
        finally:
            self._waits.pop(thread, None)

    def wait(self, ended: Callable[[float], bool], seconds: float) -> bool:
        """Wait until something has ended. Return False if ``seconds`` of this time pass first."""
        due, hangs_at = self._now + seconds, monotonic() + _HANGS_S
        with self.waiting(ended, lambda: due):
            while not ended(_LOOK_S):
                if self._now >= due:
                    return False
                if monotonic() > hangs_at:
                    raise TimeoutError("nothing happens: time stands still")
        return True

    def sleep(self, seconds: float) -> None:
        """Let time pass in the current thread."""
        self.wait(lambda look_s: bool(sleep(look_s)), seconds)

    def _tick(self) -> float:
        with self._lock:
            self._now += _TICK_S
            return self._now

    def _run(self, stop: threading.Event) -> None:
        while not stop.wait(_LOOK_S):
            self._advance()

    def _advance(self) -> None:
        """Move to the next time at which something is due, if all wait and nothing has ended the wait of any."""
        waits = self._all_waits()
        if waits is None or any(wait.ended(0) for wait in waits):
            return
        due = min([_watchdog_due(self._now), *[wait.due() for wait in waits]])
        if waits != self._all_waits():  # not all have waited all along
            return
        with self._lock:
            moves = self._now < due < inf
            self._now = due if moves else self._now
        if moves:
            self._wake()

    def _all_waits(self) -> list[_Wait] | None:
        """Return the waits of the caller, the simulators and the threads of L0; ``None`` if one of them runs."""
        found = []
        for thread in threading.enumerate():
            is_worker = thread.name.startswith(_WORKERS) and thread not in self._threads_before
            if is_worker or thread in self._clocked_threads:
                wait = self._waits.get(thread.ident)
                if wait is None:
                    return None
                found.append(wait)
        return found

    def _wake(self) -> None:
        for loop in self._loops:
            if not loop.is_closed():
                loop.call_soon_threadsafe(lambda: None)
        with WATCHDOG._changed:  # the thread of L0 that ends reads at their deadlines
            WATCHDOG._changed.notify_all()


def _watchdog_due(now: float) -> float:
    """Return the time at which the watchdog checks a read; ``now`` if a check is due that it has not made yet."""
    with WATCHDOG._changed:
        if WATCHDOG._thread is None:
            return inf
        if WATCHDOG._next <= now:
            return now
        return WATCHDOG._due[0][0] if WATCHDOG._due else inf


class _Selector(selectors.DefaultSelector):  # type: ignore[misc, valid-type]  # chosen by the platform
    """A selector whose waits the clock knows."""

    def __init__(self, clock: ServerTime) -> None:
        super().__init__()
        self._clock = clock
        self.loop: _Loop

    def select(self, timeout: float | None = None) -> Any:
        if timeout is not None and timeout <= 0:
            return super().select(timeout)
        with self._clock.waiting(self._is_ready, self.loop.next_timer):
            return super().select(_HANGS_S)

    def _is_ready(self, _: float) -> bool:
        return bool(self.loop.jobs) or _is_readable(self.fileno(), 0)


class _Loop(asyncio.SelectorEventLoop):
    """An event loop in virtual time, which does not pass while a job of the loop runs in another thread."""

    def __init__(self, clock: ServerTime) -> None:
        selector = _Selector(clock)
        selector.loop = self
        self._clock = clock
        self.jobs = set[asyncio.Future[Any]]()
        super().__init__(selector)

    def time(self) -> float:
        """Return the virtual time, in seconds."""
        return self._clock.time()

    def next_timer(self) -> float:
        """Return the time of the next timer; ``inf`` if there is none."""
        return self._scheduled[0]._when if self._scheduled else inf

    def run_in_executor(self, *job: Any) -> asyncio.Future[Any]:
        """Run a job in another thread."""
        future = super().run_in_executor(*job)
        self.jobs.add(future)
        future.add_done_callback(self.jobs.discard)
        return future


class _TrioClock:
    """A clock for trio. It waits in `deadline_to_sleep_time` in trio's place, so trio only polls afterwards."""

    def __init__(self, clock: ServerTime) -> None:
        self._clock = clock

    def start_clock(self) -> None:
        """Begin a run."""

    def current_time(self) -> float:
        """Return the time, in seconds."""
        return self._clock.time()

    def deadline_to_sleep_time(self, deadline: float) -> float:
        """Wait until the deadline, or until something has happened."""
        jobs = trio.to_thread.current_default_thread_limiter()
        number = trio._core._run.GLOBAL_RUN_CONTEXT.runner.io_manager._epoll.fileno()
        left_s = deadline - self._clock.time()
        if left_s > 0:
            self._clock.wait(lambda look_s: jobs.borrowed_tokens > 0 or _is_readable(number, look_s), left_s)
        return 0.0


class _Event(AutoResetEvent):
    """An event whose waits the clock knows."""

    def __init__(self, clock: ServerTime) -> None:
        super().__init__()
        self._clock = clock

    def wait(self, timeout_s: float | None = None) -> bool:
        self._clock.wait(self._is_set, inf if timeout_s is None else timeout_s)
        return super().wait(0)

    def _is_set(self, seconds: float) -> bool:
        if self._is_unset.locked():
            sleep(seconds)
        return not self._is_unset.locked()


def _receiving(clock: ServerTime) -> Callable[..., bytes]:
    """Return a `socket.recv` whose waits the clock knows, and whose timeout it measures."""
    receive = socket.socket.recv

    def recv(self: socket.socket, *args: Any) -> bytes:
        timeout = self.gettimeout()
        if timeout != 0 and not clock.wait(partial(_is_readable, self.fileno()), inf if timeout is None else timeout):
            raise TimeoutError("timed out")
        return receive(self, *args)

    return recv


def _is_readable(number: int, seconds: float) -> bool:
    poll = select.poll()
    poll.register(number, select.POLLIN)
    return bool(poll.poll(1000 * seconds))
