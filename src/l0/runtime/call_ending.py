"""The single end of a call: a complete answer, a failure, or a user who stops.

A user may close a call at any moment from the reading thread or task, from another one, from a signal handler or from a
finalizer: while a read is blocked, during a backoff, or while a request is sent. The first to claim the end reports it;
what the driver finds later changes nothing. A driver that sleeps is woken, also if the user closes the client
(`waiting_calls`). A driver that reads notices the end at its next read, which fails as in the bare SDK.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from l0.model.call import Outcome
from l0.model.ports import CallAdapter


class CallEnding:
    """The outcome of a call, and the right to report it."""

    __slots__ = ("_claims", "_call_adapter", "alarm", "outcome")

    def __init__(self, call_adapter: CallAdapter) -> None:
        self.outcome: Outcome | None = None
        """The outcome of the call; ``None`` while it is under way."""
        self.alarm: Callable[[], object] | None = None
        """A function that ends the sleep, or the request, that the driver waits for."""
        self._claims = [None]
        self._call_adapter = call_adapter

    @property
    def open(self) -> bool:
        """True while the call is under way."""
        return self.outcome is None

    @property
    def stopped(self) -> bool:
        """True if the call has ended, or its client is closed: nothing more is sent."""
        return self.outcome is not None or self._call_adapter.client_closed

    def claim(self, outcome: Outcome) -> bool:
        """Return True for the first caller, who must report the end. Takes no lock, so that finalizers may call it."""
        try:
            self._claims.pop()  # atomic: only one caller gets the item
        except IndexError:
            return False
        self.outcome = outcome
        return True

    def wake(self) -> None:
        """Wake the driver if it waits."""
        alarm = self.alarm
        if alarm is not None:
            with suppress(RuntimeError):  # the event loop is closed, so nobody waits
                alarm()
