"""The one end of a call: by its answer, by a failure, or because its user stops.

A user may close from the thread or task that reads, from another one, from a signal handler or a finalizer, at any
moment: while a read is blocked, during a backoff, while a request is sent. The first to claim the end reports it;
whatever the driver finds afterwards changes nothing. A driver that sleeps is woken; one that reads meets the end at its
next read, which fails as in the bare SDK.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from l0.model.call import Outcome


class CallEnding:
    """How a call ended, and who may report it."""

    __slots__ = ("_claims", "alarm", "outcome")

    def __init__(self) -> None:
        self.outcome: Outcome | None = None
        """How the call ended; ``None`` while it is under way."""
        self.alarm: Callable[[], object] | None = None
        """Ends the sleep, or the request, that a driver waits for."""
        self._claims = [None]

    @property
    def open(self) -> bool:
        """Whether the call is still under way."""
        return self.outcome is None

    def claim(self, outcome: Outcome) -> bool:
        """Return True for the first caller, who reports the end. Takes no lock, as a finalizer may come here."""
        try:
            self._claims.pop()
        except IndexError:
            return False
        self.outcome = outcome
        return True

    def wake(self) -> None:
        """End what a driver waits for, if it does."""
        alarm = self.alarm
        if alarm is not None:
            with suppress(RuntimeError):  # its event loop is closed, so nobody waits
                alarm()
