"""Time that passes only while a simulator is silent and its client waits, so that limits do not depend on the machine.

A limit of a policy then expires after the silence that a script asks for, and never because a thread had to wait for a
processor. A step of the clock goes up to the next moment at which a timer of the client is due, and the next step is
taken once the client has dealt with it.
"""

import asyncio
import contextlib
import select
import selectors
import sys
from collections.abc import Iterator
from functools import partialmethod
from math import inf
from time import monotonic
from typing import Any

import pytest
from virtual_time import load_engine

from l0.runtime import async_driver, sync_driver
from l0.runtime.watchdog import WATCHDOG, _readable
from l0.simulator.connection import Connection, DisconnectedError
from l0.stainless import send_deadlines

_LOOK_S = 0.002
"""Real seconds between two looks at the client."""
_STEP_S = 0.1
_HANGS_S = 120
"""Real seconds that only a hang exceeds."""


class _WatchedSelector(selectors.DefaultSelector):  # type: ignore[misc, valid-type]  # chosen by the platform
    """A selector that says if its loop waits, with nothing to read."""

    waits = False
    _since = 0.0

    def select(self, timeout: float | None = None) -> Any:
        self.waits = True
        try:
            ready = super().select(_HANGS_S if timeout is None else timeout)
        finally:
            self.waits = False
        if ready or timeout == 0:
            self._since = monotonic()
        elif monotonic() - self._since > _HANGS_S:
            raise TimeoutError("nothing happens, and the server is not silent: time stands still")
        return ready

    @property
    def idle(self) -> bool:
        if not self.waits:
            return False
        poll = select.poll()
        for key in list(self.get_map().values()):
            if key.events & selectors.EVENT_READ:
                poll.register(key.fd, select.POLLIN)
        return not poll.poll(0) and self.waits


class ServerTime:
    """The clock of l0's limits, which the pauses of a simulator move."""

    def __init__(self) -> None:
        self._now = 1000.0
        self._selector = _WatchedSelector()
        self._loop: Any = None

    def time(self) -> float:
        """Return the time, in seconds."""
        return self._now

    def loop(self) -> asyncio.AbstractEventLoop:
        """Return a new event loop with this clock, the only one whose waits move it."""
        self._loop = asyncio.SelectorEventLoop(self._selector)
        self._loop.time = self.time
        return self._loop  # type: ignore[no-any-return]

    @contextlib.contextmanager
    def kept(self) -> Iterator[None]:
        """Let l0 and all simulators of this process keep this time."""
        load_engine()
        runtime = [module for name, module in sys.modules.items() if name.startswith("l0.runtime.")]
        with pytest.MonkeyPatch.context() as patch:
            for module in runtime:
                if hasattr(module, "perf_counter"):
                    patch.setattr(module, "perf_counter", self.time)
            # The transport's own timeouts are real: they are a minute longer, and the watchdog's come first.
            patch.setattr(send_deadlines, "perf_counter", lambda: self._now - 60)
            patch.setattr(Connection, "wait_silently", partialmethod(_paused, self))
            patch.setattr(sync_driver, "wait_unless_stopped", self._pass)
            patch.setattr(async_driver, "sleep", self._apass)
            yield

    def _pass(self, seconds: float, _ending: Any) -> None:
        self._now += seconds

    async def _apass(self, seconds: float, _ending: Any) -> None:
        self._now += seconds

    async def pause(self, connection: Connection, seconds: float) -> None:
        """Wait as `Connection.wait_silently`, and move the clock. A client without limits makes the wait a real one."""
        await connection._flush(b"")
        end, until = self._now + seconds, monotonic() + min(seconds, _HANGS_S)
        while (left := until - monotonic()) > 0 and self._now < end:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(_LOOK_S, left)):
                    await connection._client_gone.wait()
                raise DisconnectedError
            due = min(self._due(), end)
            if due > self._now:
                self._now = due
                self._wake()

    def _due(self) -> float:
        """Return the time up to which nothing happens in a client that waits; 0 if it does not wait."""
        if self._loop is not None and self._selector.idle:
            timers = [handle._when for handle in self._loop._scheduled[:1]]
            return min([self._now + _STEP_S, *timers])
        if any(_waits(reads) for _, _, reads in list(WATCHDOG._due)):
            return min(WATCHDOG._next, self._now + _STEP_S)
        return 0.0

    def _wake(self) -> None:
        if self._selector.waits:
            self._loop.call_soon_threadsafe(lambda: None)
        with WATCHDOG._changed:
            WATCHDOG._changed.notify_all()


async def _paused(connection: Connection, clock: ServerTime, seconds: float) -> None:
    await clock.pause(connection, seconds)


def _waits(reads: Any) -> bool:
    return not reads.over and not reads.fired and reads.deadline < inf and not _readable(reads._shutter)
