"""A retry budget of the whole fleet: one bucket in Redis, and each process's copy of it.

An empty copy refuses without a request to Redis. Otherwise Redis decides, so that processes cannot take the same token.
If Redis does not answer in time, or is away, the process spends only its share of the tokens that the bucket had last:
all processes together then spend about as much as the bucket would have allowed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..budget import Budget
from ..keyed import Target
from .redis_keys import KEPT_S, redis_key

if TYPE_CHECKING:
    from .fleet import Fleet, FleetRequest

_TAKE = "take"
_SCRIPT = """
local operation, change, last = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local capacity, floor, cost = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
-- Without a level Redis is new, or has lost its data: what this process knows is as good as any.
local level = tonumber(redis.call('GET', KEYS[1]) or last) + change
level = math.max(floor - cost, math.min(capacity, level))
local granted = 0
if operation == 'take' and level > floor then
    level, granted = level - cost, 1
end
redis.call('SET', KEYS[1], level, 'EX', ARGV[7])
return {granted, level}
"""


class FleetBudget(Budget):
    """This process's copy of the bucket of one provider and model."""

    script = _SCRIPT

    def __init__(self, fleet: Fleet, target: Target) -> None:
        self._fleet = fleet
        self.key = redis_key("budget", *target)
        super().__init__()
        fleet.add(self)

    def renew(self) -> None:
        """Assume a full bucket until Redis has answered."""
        super().renew()
        self._last = self._tokens
        """The level that Redis had last. ``_tokens - _last`` is what this process has changed since then."""
        self._sent = 0
        """The part of that change which is on its way to Redis."""

    def spend(self) -> bool:
        """Take the cost of one extra request, if the bucket of the fleet allows it."""
        if self._tokens <= self._floor:
            return False
        request = self._fleet.request(self, _TAKE)
        with self._lock:
            if request is not None:
                if request.granted is not None:
                    return request.granted
                request.cancelled = True
            if share(self._last - self._floor, self._fleet.members) + self._tokens - self._last <= 0:
                return False
            return super().spend()

    def succeed(self) -> None:
        """Refund a share of a token for a successful call; while Redis is away at most this process's share."""
        members = self._fleet.members if self._fleet.away else 1
        with self._lock:
            most = self._last + share(self._capacity - self._last, members)
            self._tokens = max(self._tokens, min(most, self._tokens + self._refund))

    @property
    def changed(self) -> bool:
        """True if this process has changed the level since the last answer."""
        return self._tokens != self._last

    def arguments(self, operation: str) -> Sequence[str | int]:
        """Return the arguments of the script."""
        with self._lock:
            change = 0
            if not operation:
                change = self._sent = self._tokens - self._last
            return operation, change, self._last, self._capacity, self._floor, self._cost, KEPT_S

    def apply(self, request: FleetRequest, answer: tuple[int, int]) -> None:
        """Adopt the level of the fleet's bucket."""
        granted, level = answer
        with self._lock:
            sent = 0 if request.operation else self._sent
            unsent = self._tokens - self._last - sent
            if request.cancelled and granted:  # the caller has decided alone, and has paid for that
                unsent += self._cost
            self._last = level
            self._tokens = min(self._capacity, level + unsent)
            if request.operation:
                request.granted = bool(granted)


def share(tokens: int, members: int) -> int:
    """Return the part of ``tokens``, in thousandths, that each of ``members`` processes may spend."""
    return tokens // members
