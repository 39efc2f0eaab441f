"""Retry budget: what retries, hedges and resumes of one provider and model may cost together, as a share of traffic.

The throttle of gRPC (proposal A6): a bucket of 10 tokens; each spend takes one, each success gives a tenth back, and at
half or below nothing is spent. A provider that fails altogether so gets five requests on top of the traffic, and one
that is healthy bears a tenth of it more. A retry after a wait that
the server asked for is not spent from it, if that wait is longer than our own backoff: the caller leaves it out.
"""

from __future__ import annotations

import threading

from .forks import renew_in_child
from .keyed import MOST, Keyed, Target

CAPACITY = 10.0
COST = 1.0
REFUND = 0.1
FLOOR = 5.0
"""Nothing is spent at or below this level."""

_MILLI = 1000  # counted in whole thousandths: ten refunds of 0.1 must be exactly one token


class Budget:
    """One token bucket. Full to begin with, and in a forked child."""

    def __init__(
        self, *, capacity: float = CAPACITY, floor: float = FLOOR, cost: float = COST, refund: float = REFUND
    ) -> None:
        self._capacity, self._floor = round(capacity * _MILLI), round(floor * _MILLI)
        self._cost, self._refund = round(cost * _MILLI), round(refund * _MILLI)
        self.renew()
        renew_in_child(self)

    def renew(self) -> None:
        """Fill the bucket."""
        self._lock = threading.RLock()
        self._tokens = self._capacity

    @property
    def level(self) -> float:
        """Tokens that are in the bucket."""
        return self._tokens / _MILLI

    def spend(self) -> bool:
        """Pay for one more request. ``False``: there is nothing to pay with, and nothing was taken."""
        with self._lock:
            if self._tokens <= self._floor:
                return False
            self._tokens -= self._cost
            return True

    def succeed(self) -> None:
        """A call of this provider and model succeeded."""
        with self._lock:
            self._tokens = min(self._capacity, self._tokens + self._refund)


class Budgets(Keyed[Target, Budget]):
    """``budgets[provider, model]``."""

    def __init__(self, most: int = MOST) -> None:
        super().__init__(lambda _: Budget(), most)
