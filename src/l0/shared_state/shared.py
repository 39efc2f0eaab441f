"""Collect the state that all calls share: sources known to send terminal events, retry budgets, breakers, objectives,
first-token latencies."""

from __future__ import annotations

from time import monotonic, time

from l0.model.ports import Recorder

from .breaker import Breakers
from .budget import RetryBudgets
from .quantiles import FirstTokenLatencies
from .slo_tracker import SloTracker
from .terminal_event_sources import TerminalEventSources


class SharedState:
    """The state that all calls of this process share."""

    def __init__(self) -> None:
        self.terminal_event_sources = TerminalEventSources()
        self.retry_budgets = RetryBudgets()
        self.slos = SloTracker(time)
        self.breakers = Breakers(monotonic, rates=self.slos.failure_rate)
        self.first_token_latencies = FirstTokenLatencies()
        self.timelines = False
        """True if the token flow of streamed answers is recorded (`runtime.stream_stats`)."""
        self.recorder: Recorder | None = None
        """The recorder of every call; ``None`` for none."""
