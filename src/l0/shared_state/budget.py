"""Retry budget: limit retries, hedges and resumes to a share of the traffic, per provider and model.

It is gRPC's retry throttle (gRPC proposal A6): a bucket of 10 tokens. Each extra request takes one token, each success
returns a tenth of a token, and a level of 5 or below allows no extra request. So a provider that fails all calls gets
five extra requests; a healthy one gets at most a tenth of its traffic. As in gRPC, the first success after that raises
the level above 5 and so allows one more, then every tenth does. A retry after a server's ``Retry-After`` that is
longer than L0's own backoff does not spend a token; the caller decides this.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from .forks import renew_in_child
from .keyed import MAX_KEYS, Keyed, Target

CAPACITY = 10.0
"""In tokens, as all figures here."""
COST = 1.0
REFUND = 0.1
FLOOR = 5.0
"""Level at or below which no extra request is allowed."""

_MILLI = 1000  # count in integer thousandths: ten refunds of 0.1 must equal exactly one token


class Budget:
    """One token bucket. It starts full, also in a forked child. All parameters are in tokens."""

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
        """The number of tokens in the bucket."""
        return self._tokens / _MILLI

    def spend(self) -> bool:
        """Take the cost of one extra request. Return ``False``, and take nothing, if the budget does not allow it."""
        with self._lock:
            if self._tokens <= self._floor:
                return False
            self._tokens -= self._cost
            return True

    def succeed(self) -> None:
        """Refund a share of a token for a successful call."""
        with self._lock:
            self._tokens = min(self._capacity, self._tokens + self._refund)


class RetryBudgets(Keyed[Target, Budget]):
    """The retry budgets of a process: ``budgets[provider, model]``. ``make``: create the budget of a target."""

    def __init__(self, max_keys: int = MAX_KEYS, make: Callable[[Target], Budget] = lambda _: Budget()) -> None:
        super().__init__(make, max_keys)
