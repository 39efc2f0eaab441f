"""The calls that wait for a backoff, a request or a hedge, so that closing their client can wake them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from l0.shared_state.forks import renew_in_child

from .call_ending import CallEnding


class WaitingCalls:
    """A set of waiting calls. Takes no lock, because clients may be closed in signal handlers and finalizers."""

    def __init__(self) -> None:
        self.renew()
        renew_in_child(self)

    def renew(self) -> None:
        """Forget the calls in a forked child: their threads and event loops belong to the parent."""
        self._waiting: set[CallEnding] = set()

    @contextmanager
    def wake_by(self, ending: CallEnding, alarm: Callable[[], object]) -> Iterator[None]:
        """Call ``alarm`` if the user stops the call during this block.

        Check `CallEnding.stopped` in the block, because the user may have stopped the call before.
        """
        ending.alarm = alarm
        self._waiting.add(ending)
        try:
            yield
        finally:
            self._waiting.discard(ending)
            ending.alarm = None

    def client_closed(self) -> None:
        """Wake the calls whose client is closed."""
        for ending in self._waiting.copy():
            if ending.stopped:
                self._waiting.discard(ending)  # woken once: another thread may close its client as well
                ending.wake()


WAITING = WaitingCalls()
