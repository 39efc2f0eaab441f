"""A circuit breaker that records the changes of its state."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from l0.shared_state.breaker import Breaker, BreakerSignal, BreakerState


@dataclass(frozen=True, kw_only=True)
class BreakerChange:
    """One change of state. ``at``: seconds on the breaker's clock."""

    before: BreakerState
    after: BreakerState
    at: float


class RecordedBreaker(Breaker):
    """A breaker that appends its changes to ``changes``."""

    def __init__(self, clock: Callable[[], float], *, changes: list[BreakerChange], **options: Any) -> None:
        self.changes = changes
        super().__init__(clock, **options)

    def _move(self, signal: BreakerSignal, now: float) -> BreakerState | None:
        before = self.state
        after = super()._move(signal, now)
        if self.state is not before:
            self.changes.append(BreakerChange(before=before, after=self.state, at=now))
        return after
