"""Collect the state that all calls share: sources known to send terminal events, retry budgets, breakers, objectives,
first-content latencies."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic, time
from typing import TYPE_CHECKING
from weakref import WeakSet

from l0.model.ports import Recorder

from .breaker import Breaker, Breakers
from .budget import Budget, RetryBudgets
from .failure_rate import FailureRate
from .fleet.fleet_breaker import FleetBreaker
from .fleet.fleet_budget import FleetBudget
from .fleet.fleet_quantiles import FleetQuantiles
from .keyed import Target
from .quantiles import FirstTokenLatencies, Quantiles, Series
from .slo_tracker import SloTracker
from .terminal_event_sources import TerminalEventSources

if TYPE_CHECKING:
    from .fleet.fleet import Fleet


class SharedState:
    """The state that all calls of this process share. In a fleet, parts of it are copies of what the fleet shares."""

    def __init__(self) -> None:
        self.terminal_event_sources = TerminalEventSources()
        self.fleet: Fleet | None = None
        self.fleet_meters: WeakSet[object] = WeakSet()
        """The meters that already have the instruments of the fleet."""
        self.retry_budgets = RetryBudgets(make=self._budget)
        self.slos = SloTracker(time)
        self.breakers = Breakers(monotonic, rates=self.slos.failure_rate, make=self._breaker)
        self.shadow_retry_budgets = RetryBudgets()
        self.shadow_breakers = Breakers(monotonic, rates=self.slos.failure_rate)
        """Those of policies in shadow mode, which must not use up what active policies need. No fleet shares them."""
        self.first_token_latencies = FirstTokenLatencies(make=self._latencies)
        self.timelines = False
        """True if the token flow of streamed answers is recorded (`runtime.stream_stats`)."""
        self.recorder: Recorder | None = None
        """The recorder of every call; ``None`` for none."""

    def share(self, fleet: Fleet | None) -> None:
        """Share with ``fleet`` from now on; ``None`` ends the sharing.

        The counts of objectives, retry budgets, breakers and latencies start anew.
        """
        self.fleet = fleet
        self.slos.share(fleet)
        self.retry_budgets.clear()
        self.breakers.clear()
        self.shadow_retry_budgets.clear()
        self.shadow_breakers.clear()
        self.first_token_latencies.clear()

    def _budget(self, target: Target) -> Budget:
        return Budget() if self.fleet is None else FleetBudget(self.fleet, target)

    def _breaker(self, target: Target, clock: Callable[[], float], rate: FailureRate | None) -> Breaker:
        if self.fleet is None:
            return Breaker(clock, rate=rate)
        return FleetBreaker(self.fleet, target, clock, rate=rate)

    def _latencies(self, series: Series) -> Quantiles:
        return Quantiles() if self.fleet is None else FleetQuantiles(self.fleet, series)
