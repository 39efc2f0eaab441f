"""The SLO windows of a fleet: totals of events in Redis, and each process's windows of its own and of others' events.

Redis keeps totals only, no windows: a process adds the events of other processes to its own windows when it sees the
totals grow, within about a second. So a process counts the events of others since its own start.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from l0.slo.burn import Count
from l0.slo.rolling_windows import Windows

from ..keyed import Target
from .fleet_breaker import counts_of_others
from .redis_keys import redis_key

if TYPE_CHECKING:
    from .fleet import Fleet, FleetRequest

TOTALS_KEPT_S = 86_400
"""Time in s after which Redis forgets totals that no process adds to. Then processes begin to count anew."""
_SCRIPT = """
local totals = {}
for name = 2, #ARGV, 3 do
    for number, kind in ipairs({'bad', 'total'}) do
        totals[#totals + 1] = redis.call('HINCRBY', KEYS[1], kind .. ' ' .. ARGV[name], ARGV[name + number])
    end
end
redis.call('EXPIRE', KEYS[1], ARGV[1])
return totals
"""


class FleetWindows(Windows):
    """The windows of one objective. Only `over` includes the events of others: they store and export their own."""

    __slots__ = ("_confirmed", "_others", "_sent", "_totals")

    def __init__(self, at: float) -> None:
        super().__init__(at)
        self._others = Windows(at)
        self._confirmed = self._sent = Count()
        """This process's events that Redis has confirmed, and those that its next answer will confirm."""
        self._totals: Count | None = None
        """The events of all processes, as Redis counted them last."""

    def over(self, seconds: float, at: float) -> Count:
        """Return the events of all processes in the last ``seconds`` before ``at``."""
        return super().over(seconds, at) + self._others.over(seconds, at)

    @property
    def changed(self) -> bool:
        """True if Redis does not know all events of this process."""
        return self.count != self._confirmed

    def unconfirmed(self) -> Count:
        """Return the events to send to Redis: those that it has not confirmed."""
        self._sent = self.count
        return Count(self._sent.bad - self._confirmed.bad, self._sent.total - self._confirmed.total)

    def confirm(self, totals: Count, at: float) -> None:
        """Add the events of other processes since the last answer. ``totals``: those of all processes."""
        if self._totals is not None:
            own = self._sent.bad - self._confirmed.bad, self._sent.total - self._confirmed.total
            before = self._totals.bad, self._totals.total
            self._others.add_all(at, Count(*counts_of_others(before, own, (totals.bad, totals.total))))
        self._confirmed, self._totals = self._sent, totals


class FleetHistory:
    """The windows of one provider and model, by name, as a replica. ``lock`` guards them."""

    script = _SCRIPT

    def __init__(
        self,
        fleet: Fleet,
        target: Target,
        windows: Mapping[str, FleetWindows],
        lock: threading.RLock,
        clock: Callable[[], float],
    ) -> None:
        self.key = redis_key("slo", *target)
        self._windows, self._lock, self._clock = windows, lock, clock
        fleet.add(self)

    @property
    def changed(self) -> bool:
        """True if Redis does not know all events of this process."""
        return any(windows.changed for windows in self._windows.values())

    def arguments(self, operation: str) -> Sequence[str | int]:  # noqa: ARG002 - it has no operations
        """Return the arguments of the script."""
        with self._lock:
            counts = [windows.unconfirmed() for windows in self._windows.values()]
        arguments: list[str | int] = [TOTALS_KEPT_S]
        for name, count in zip(self._windows, counts, strict=True):
            arguments += [name, count.bad, count.total]
        return arguments

    def apply(self, request: FleetRequest, answer: Sequence[int]) -> None:  # noqa: ARG002 - the same
        """Add the events of other processes."""
        at = self._clock()
        with self._lock:
            for windows, bad, total in zip(self._windows.values(), answer[::2], answer[1::2], strict=True):
                windows.confirm(Count(bad, total), at)
