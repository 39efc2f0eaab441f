"""Count events of the last 30 days in bounded memory, and return the count of any window in O(1).

Two counters, of bad events and of all events, only grow. Rings of buckets, each coarser than the previous ring, store
the values of the counters at the start of each bucket, so the count of a window is one subtraction. The bucket in which
a window begins is left out, because it began before the window: a window covers its length minus at most one bucket.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from .burn import DAY, HOUR, MINUTE, Count

RINGS = (
    (10, 10 * MINUTE),
    (MINUTE, 2 * HOUR),
    (10 * MINUTE, DAY),
    (2 * HOUR, 30 * DAY),
)
"""Length of a bucket and of the longest window that the ring serves, in seconds; 660 buckets in total."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """Events between ``start`` and ``start + width`` seconds of the clock."""

    width: int
    start: int
    count: Count


class _Ring:
    """Values of the counters at the start of each of the last buckets."""

    __slots__ = ("_bad", "_newest", "_size", "_total", "span", "width")

    def __init__(self, width: int, span: int, at: float) -> None:
        self.width = width
        self.span = span
        self._size = span // width + 1  # plus the bucket that is being filled
        self._newest = int(at // width)
        # Arrays of integers take 8 bytes per bucket; a list of objects would take many times as much.
        self._bad = array("q", bytes(8 * self._size))
        self._total = array("q", bytes(8 * self._size))

    def advance(self, at: float, bad: int, total: int) -> None:
        """Start all buckets up to the one that contains ``at``, with the given counters."""
        bucket = int(at // self.width)
        for started in range(max(self._newest, bucket - self._size) + 1, bucket + 1):
            self._bad[started % self._size] = bad
            self._total[started % self._size] = total
        self._newest = max(bucket, self._newest)

    def before(self, since: float) -> tuple[int, int] | None:
        """Return the counters at the start of the first bucket from ``since`` on, or ``None`` if none has begun."""
        return self._counts(max(int(-(-since // self.width)), self._newest - self._size + 1))

    def _counts(self, bucket: int) -> tuple[int, int] | None:
        if bucket > self._newest:
            return None
        slot = bucket % self._size
        return self._bad[slot], self._total[slot]

    def put_back(self, buckets: dict[int, Count]) -> None:
        """Restore events of earlier buckets. The counters start at zero, so their earlier values become negative."""
        bad = total = 0
        for bucket in range(self._newest, self._newest - self._size, -1):
            count = buckets.get(bucket * self.width, Count())
            bad, total = bad - count.bad, total - count.total
            self._bad[bucket % self._size] = bad
            self._total[bucket % self._size] = total

    def after(self, seen: Count, current: Count) -> Iterator[Bucket]:
        """Yield the events of each bucket between the counters ``seen`` and ``current``, newest first."""
        until = current
        for bucket in range(self._newest, self._newest - self._size, -1):
            counts = self._counts(bucket)
            assert counts is not None
            since = Count(max(counts[0], seen.bad), max(counts[1], seen.total))
            received = Count(until.bad - since.bad, until.total - since.total)
            if received.total:
                yield Bucket(self.width, bucket * self.width, received)
            if counts[1] <= seen.total:
                return
            until = since


class Windows:
    """Good and bad events of one objective. Not thread-safe: the caller must hold a lock.

    Times are seconds of one clock of any kind. If the clock goes back, it is treated as stopped.
    """

    __slots__ = ("_bad", "_rings", "_saved", "_total", "_until")

    def __init__(self, at: float) -> None:
        self._bad = self._total = 0
        self._saved = Count()
        """The counters at the last call of `unsaved`."""
        self._rings = tuple(_Ring(width, span, at) for width, span in RINGS)
        self._until = (at // RINGS[0][0] + 1) * RINGS[0][0]
        """The end of the current bucket of the finest ring."""

    @property
    def count(self) -> Count:
        """Return the number of all events since the start, without restored events."""
        return Count(self._bad, self._total)

    def add(self, at: float, *, good: bool) -> None:
        """Add one event at ``at``."""
        # Runs for every event: the rings advance only once per bucket of the finest ring.
        if at >= self._until:
            self._advance(at)
        self._total += 1
        self._bad += not good

    def add_all(self, at: float, count: Count) -> None:
        """Add events of other processes, as if they happened at ``at``: their own times are not known."""
        if at >= self._until:
            self._advance(at)
        self._total += count.total
        self._bad += count.bad

    def over(self, seconds: float, at: float) -> Count:
        """Return the events of the last ``seconds`` before ``at``."""
        if at >= self._until:
            self._advance(at)
        ring = next((ring for ring in self._rings if seconds <= ring.span), self._rings[-1])
        before = ring.before(max(at, self._until - RINGS[0][0]) - min(seconds, ring.span))
        return Count() if before is None else Count(self._bad - before[0], self._total - before[1])

    def unsaved(self) -> list[Bucket]:
        """Return the events since the last call of this method, for each bucket of every ring."""
        seen, self._saved = self._saved, self.count
        return [bucket for ring in self._rings for bucket in ring.after(seen, self._saved)]

    def put_back(self, buckets: Iterable[Bucket], at: float) -> None:
        """Restore earlier events that `unsaved` returned. Allowed only before any event is added."""
        self._advance(at)
        found = list(buckets)
        for ring in self._rings:
            ring.put_back({bucket.start: bucket.count for bucket in found if bucket.width == ring.width})

    def _advance(self, at: float) -> None:
        for ring in self._rings:
            ring.advance(at, self._bad, self._total)
        self._until = max(self._until, (at // RINGS[0][0] + 1) * RINGS[0][0])
