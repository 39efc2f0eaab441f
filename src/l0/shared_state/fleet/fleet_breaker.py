"""A breaker of the whole fleet: its state in Redis, and each process's copy of it.

Calls follow the copy. It counts the outcomes of all processes, and adopts every change of state. Only a probe needs
a decision of the whole fleet: Redis leases it to one process, which keeps the lease while the probe runs. If Redis does
not answer in time, the breaker refuses the call, and the next call uses the answer. If Redis is away, each process
decides alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf
from typing import TYPE_CHECKING

from ..breaker import COOLDOWN, Breaker, BreakerPermit, BreakerSignal, BreakerState
from ..failure_rate import FailureRate
from ..keyed import Target
from .redis_keys import KEPT_S, redis_key

if TYPE_CHECKING:
    from .fleet import Fleet, FleetRequest

LEASE_S = 10.0
"""Time without an exchange after which another process may probe: many times the time between two exchanges."""
_PROBE, _HELD, _RELEASED = "probe", "held", "released"
_SCRIPT = """
local operation, me, own_state, own_age = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
local cooldown, lease = tonumber(ARGV[7]), tonumber(ARGV[8])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local found = redis.call('HMGET', KEYS[1], 'state', 'since', 'holder', 'expires')
local state, since, holder, expires = found[1], tonumber(found[2]), found[3], tonumber(found[4])
if not state then
    -- Redis is new, or has lost its data. An open copy is then the best information; a closed one proves nothing.
    state, since, holder, expires = '', now, '', 0
    if own_state ~= 'closed' then
        state, since = own_state, now - own_age
    end
end
local mine = state == 'half_open' and holder == me
local taken = state == 'half_open' and holder ~= me and holder ~= '' and expires > now
local free = state == 'half_open' and not taken or state == 'open' and now >= since + cooldown
local granted = 0
if operation == 'trip' then
    if state == '' or state == 'closed' then
        state, since = 'open', now
    end
elseif free and operation == 'recovered' then
    state, since, holder = 'closed', now, ''
elseif free and operation == 'failed' then
    state, since, holder = 'open', now, ''
elseif mine and operation == 'released' then
    holder = ''
elseif free and (operation == 'probe' or operation == 'held') then
    state, holder, expires, granted = 'half_open', me, now + lease, 1
end
if state ~= '' then
    redis.call('HSET', KEYS[1], 'state', state, 'since', since, 'holder', holder, 'expires', expires)
end
local failures = redis.call('HINCRBY', KEYS[1], 'failures', ARGV[5])
local calls = redis.call('HINCRBY', KEYS[1], 'calls', ARGV[6])
redis.call('EXPIRE', KEYS[1], ARGV[9])
return {granted, state, now - since, failures, calls, taken and 1 or 0}
"""


class FleetBreaker(Breaker):
    """This process's copy of the breaker of one provider and model."""

    script = _SCRIPT

    def __init__(
        self,
        fleet: Fleet,
        target: Target,
        clock: Callable[[], float],
        *,
        rate: FailureRate | None = None,
        cooldown: float = COOLDOWN,
    ) -> None:
        self._fleet = fleet
        self.key = redis_key("breaker", *target)
        super().__init__(clock, rate=rate, cooldown=cooldown)
        fleet.add(self)

    def renew(self) -> None:
        """Start over with a closed breaker in a forked child, which has no call in progress and no probe."""
        super().renew()
        self._request: FleetRequest | None = None
        """The latest request for the probe."""
        self._granted_until = -inf
        """The time until which a call may use the probe that Redis has granted."""
        self._asked_at: float | None = None
        """The time at which this process first asked who makes the next probe; ``None`` once Redis has answered."""
        self._probed_elsewhere = False
        self._signal = self._sent_signal = ""
        """The last change of state that Redis does not know yet, and the one that is on its way to Redis."""
        self._unsent = self._sent = (0, 0)
        """The failures and the calls of this process that Redis does not know yet, and those on their way to Redis."""
        self._totals: tuple[int, int] | None = None
        """The failures and the calls of the fleet, as Redis counted them last."""

    def admit(self) -> BreakerPermit | None:
        """Return a permit to send one call; ``None`` if the call must fail over or raise."""
        if self._state is BreakerState.CLOSED:
            return BreakerPermit(self, probe=False)
        with self._lock:
            now = self._clock()
            must_ask = self._must_ask(now)
            if must_ask and self._asked_at is None:
                self._asked_at = now
        if must_ask:  # without the lock: the answer changes this breaker
            self._request = self._fleet.request(self, _PROBE)
        with self._lock:
            if not self._decides_alone(now) and self._granted_until < now and self.state is not BreakerState.CLOSED:
                return None
            permit = self._try_probe(now)
            if permit is not None:
                self._granted_until, self._asked_at = -inf, None
            return permit

    def _must_ask(self, now: float) -> bool:
        """Return True if a probe is due, and it is not known which process makes it. The caller holds the lock."""
        awaits_answer = self._request is not None and not self._request.ended
        if awaits_answer or self._granted_until >= now or self._probed_elsewhere or self._current_probe() is not None:
            return False
        return not self._cooling(now)

    def _decides_alone(self, now: float) -> bool:
        return self._fleet.away or (self._asked_at is not None and now > self._asked_at + self._cooldown)

    def _ended(self, call: BreakerPermit, *, failed: bool) -> None:
        with self._lock:
            super()._ended(call, failed=failed)
            self._unsent = self._unsent[0] + failed, self._unsent[1] + 1
            if call.changed_to is BreakerState.CLOSED:
                self._signal = BreakerSignal.RECOVERED
            elif call.changed_to is BreakerState.OPEN:
                self._signal = BreakerSignal.FAILED if call.probe else BreakerSignal.TRIP
        if self._signal:
            self._fleet.exchange_soon()

    def _released(self, call: BreakerPermit) -> None:
        with self._lock:
            if self._current_probe() is call:
                self._signal = _RELEASED
            super()._released(call)
        if self._signal:
            self._fleet.exchange_soon()

    @property
    def changed(self) -> bool:
        """True if Redis does not know the latest outcomes or change of state, or if a lease must be kept."""
        return bool(self._signal or self._unsent[1] or self._holds())

    def _holds(self) -> bool:
        return self._current_probe() is not None or self._granted_until >= self._clock()

    def arguments(self, operation: str) -> Sequence[str | int]:
        """Return the arguments of the script."""
        with self._lock:
            counts = (0, 0)
            if not operation:
                counts = self._sent = self._unsent
                self._sent_signal = self._signal
                operation = self._signal or (_HELD if self._holds() else "")
            age_ms = round(1000 * min(max(self._clock() - self._since, 0.0), KEPT_S))
            times = round(1000 * self._cooldown), round(1000 * LEASE_S), KEPT_S
            return operation, self._fleet.member, self._state.value, age_ms, *counts, *times

    def apply(self, request: FleetRequest, answer: tuple[int, str, int, int, int, int]) -> None:
        """Adopt the state of the fleet's breaker, and count the outcomes of the other processes."""
        granted, state, age_ms, *totals, elsewhere = answer
        with self._lock:
            now = self._clock()
            self._probed_elsewhere = bool(elsewhere)
            self._count_others((totals[0], totals[1]))
            if not request.operation and self._signal == self._sent_signal:
                self._signal = ""
            if self._signal or self._current_probe() is not None:
                return  # a call has changed the state since, or is about to
            if request.operation and granted:
                self._granted_until, self._since = now + LEASE_S, -inf
            elif self._granted_until < now:
                self._asked_at = None if request.operation else self._asked_at
                self._adopt(state, now - age_ms / 1000)

    def _count_others(self, totals: tuple[int, int]) -> None:
        sent, self._sent = self._sent, (0, 0)
        self._unsent = self._unsent[0] - sent[0], self._unsent[1] - sent[1]
        if self._totals is not None and self._own_window is not None:
            failures, calls = counts_of_others(self._totals, sent, totals)
            if calls:
                self._own_window.add(failures, calls)
        self._totals = totals

    def _adopt(self, state: str, since: float) -> None:
        if state:
            self._state, self._since = BreakerState(state), since


def counts_of_others(before: tuple[int, int], own: tuple[int, int], after: tuple[int, int]) -> tuple[int, int]:
    """Return the failures and the calls of other processes between two totals; 0 if Redis has lost its counts since."""
    failures, calls = after[0] - before[0] - own[0], after[1] - before[1] - own[1]
    return (failures, calls) if calls >= failures >= 0 else (0, 0)
