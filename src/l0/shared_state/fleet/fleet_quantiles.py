"""The first-content times of the whole fleet: a Redis stream of the latest ones, and each process's copy of it."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..quantiles import Quantiles, Series
from .redis_keys import KEPT_S, redis_key

if TYPE_CHECKING:
    from .fleet import Fleet, FleetRequest

_SCRIPT = """
for sample = 4, #ARGV do
    redis.call('XADD', KEYS[1], 'MAXLEN', ARGV[2], '*', 's', ARGV[sample])
end
redis.call('EXPIRE', KEYS[1], ARGV[3])
return redis.call('XRANGE', KEYS[1], '(' .. ARGV[1], '+')
"""
Entry = tuple[str, tuple[str, str]]
"""An entry of the stream: its id, and the field with the time in s."""


class FleetQuantiles(Quantiles):
    """This process's copy of the latest samples of all processes, and its own samples that Redis does not know yet.

    As in `Quantiles`, no method takes a lock: calls only append, and the fleet's thread moves what they have appended.
    """

    script = _SCRIPT

    def __init__(self, fleet: Fleet, series: Series) -> None:
        self.key = redis_key("first-token", *series)
        super().__init__()
        fleet.add(self)

    def renew(self) -> None:
        """Drop every sample."""
        super().renew()
        self._unsent: deque[float] = deque(maxlen=self._last)
        self._sent: list[float] = []
        """The samples that are on their way to Redis."""
        self._newest = "0"
        """The id of the latest entry in the copy."""

    def __len__(self) -> int:
        return len(self._latest())

    def _keep(self, seconds: float) -> None:
        self._unsent.append(seconds)

    def _latest(self) -> Sequence[float]:
        return [*self._samples.copy(), *self._sent, *self._unsent.copy()][-self._last :]

    @property
    def changed(self) -> bool:
        """True if Redis does not know the latest samples of this process."""
        return bool(self._unsent or self._sent)

    def arguments(self, operation: str) -> Sequence[str | int]:  # noqa: ARG002 - it has no operations
        """Return the arguments of the script."""
        new = [self._unsent.popleft() for _ in range(len(self._unsent))]
        self._sent = [*self._sent, *new][-self._last :]
        return self._newest, self._last, KEPT_S, *map(repr, self._sent)

    def apply(self, request: FleetRequest, answer: Sequence[Entry]) -> None:  # noqa: ARG002 - the same
        """Add the samples since the last answer; those of this process are among them."""
        self._samples.extend(float(value) for _, (_, value) in answer)
        self._sent = []
        if answer:
            self._newest = answer[-1][0]
