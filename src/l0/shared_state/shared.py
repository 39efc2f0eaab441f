"""Collect all state that calls share: known terminals, retry budgets, breakers, objectives, first-token times."""

from __future__ import annotations

from time import monotonic, time

from l0.model.ports import Recorder

from .breaker import Breakers
from .budget import Budgets
from .known_terminals import Terminals
from .quantiles import FirstTokens
from .slo_tracker import SloTracker


class SharedState:
    """The health of all providers, as observed by this process."""

    def __init__(self) -> None:
        self.terminals = Terminals()
        self.budgets = Budgets()
        self.slos = SloTracker(time)
        self.breakers = Breakers(monotonic, rates=self.slos.failure_rate)
        self.first_tokens = FirstTokens()
        self.timelines = False
        """True if the token flow of streamed answers is recorded (`runtime.stream_stats`)."""
        self.recorder: Recorder | None = None
        """The recorder of every call; ``None`` for none."""
