"""The observer that shows each call when it ends, and the summary when the process ends."""

from __future__ import annotations

import atexit
from collections.abc import Callable
from time import localtime, strftime

from l0.console.call_tally import CallTally
from l0.model.call import Call
from l0.model.call_events import CallEnded, CallEvent
from l0.model.ports import CallObserver
from l0.shared_state.forks import renew_in_child
from l0.shared_state.termination import TerminationHandler, at_end_of_worker
from l0.telemetry.call_log import CALL_LOG

from .call_lines import call_lines
from .summary_lines import summary_lines
from .terminal import Terminal


class Console:
    """The console of the process. ``tally``: the counts of its calls. ``clock``: returns the time of day as text."""

    def __init__(self, tally: CallTally, clock: Callable[[], str] = lambda: strftime("%H:%M:%S", localtime())) -> None:
        self.terminal = Terminal()
        self.clock = clock
        self._tally = tally
        self._on = False
        self._termination = TerminationHandler(self.end)
        self.renew()
        renew_in_child(self)

    def renew(self) -> None:
        """Forget the calls of the parent in a forked child, which shows the summary of its own calls."""
        self._shown = 0  # calls in the summary shown last
        self._is_end_registered = False

    def switch(self, *, on: bool) -> None:
        """Show calls from now on, and the summary at the end of the process, or stop showing both."""
        if on == self._on:
            return
        self._on = CALL_LOG.console = on
        if on:
            self._shown = 0
            self.terminal.prepare()
            atexit.register(self._end_with_process)
            self._termination.install()
        else:
            atexit.unregister(self._end_with_process)
            self._termination.remove()

    def observe(self, call: Call) -> _ShownCall:
        """Return the observer of a call."""
        if not self._is_end_registered:
            self._is_end_registered = True
            at_end_of_worker(self._end_with_process)
        return _ShownCall(self, call)

    def _end_with_process(self) -> None:
        """Show the summary whole, even if the pool of this worker sends SIGTERM meanwhile."""
        if self._on:
            self._termination.run()

    def end(self) -> None:
        """Show the summary, unless the last one shown is still up to date."""
        summary = self._tally.summary()
        started = summary.calls + summary.running
        if summary.calls != self._shown or (started and not self._shown):
            self._shown = summary.calls
            self.terminal.write(lambda layout: summary_lines(summary, layout))


class _ShownCall(CallObserver):
    """The observer of one call. It collects the events and writes them to the console when the call ends."""

    __slots__ = ("_call", "_console", "_events")

    def __init__(self, console: Console, call: Call) -> None:
        self._console = console
        self._call = call
        self._events: list[CallEvent] = []

    def notify(self, event: CallEvent) -> None:
        if isinstance(event, CallEnded):
            clock = self._console.clock()
            self._console.terminal.write(lambda layout: call_lines(self._call, self._events, event, clock, layout))
        else:
            self._events.append(event)
