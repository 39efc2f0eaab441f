"""Shared parts of the detectors: the protocol, its finding, and a sliding window of counts."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import ClassVar, Protocol

from ..families import Family
from .segments import Segment


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftFinding:
    """Drift that begins at ``at`` (an offset in characters of the answer). ``confidence``: 0 to 1.

    ``families``: the families of this finding, if they are fewer than those of its detector. ``goes_on``: the drift
    continues after the segment.
    """

    at: int
    confidence: float
    families: frozenset[Family] | None = None
    goes_on: bool = False


class Thresholds(Protocol):
    """The thresholds of a `Drift` rule; its docstring explains them."""

    @property
    def window(self) -> int: ...
    @property
    def repeats(self) -> int: ...
    @property
    def hedges(self) -> float: ...
    @property
    def disorder(self) -> float: ...


class Detector(Protocol):
    """A detector of one type of drift in one answer. It reads the answer segment by segment."""

    MESSAGE: ClassVar[str]
    """The message of its findings."""
    FAMILIES: ClassVar[frozenset[Family]]
    """The families of its findings."""
    USES_WINDOW: ClassVar[bool]
    """True if a finding may begin in an earlier segment, up to ``Drift.window`` characters back."""

    def __init__(self, thresholds: Thresholds, /) -> None: ...

    def take(self, segment: Segment) -> DriftFinding | None:
        """Read the next segment. Return a finding if it shows drift, else ``None``."""
        ...


def confidence(value: float, threshold: float) -> float:
    """Return the confidence for a value, rounded to 3 digits: 0.5 at the threshold, 1.0 at twice the threshold."""
    return round(min(1.0, value / (2 * threshold)), 3)


class CountWindow:
    """Counts per segment over the last ``reach`` characters of the answer."""

    __slots__ = ("_counts", "_reach")

    def __init__(self, reach: int) -> None:
        self._reach = reach
        self._counts: deque[tuple[int, float, float]] = deque()

    def add(self, at: int, size: float, count: float) -> tuple[float, float]:
        """Add ``count`` occurrences in ``size`` units at offset ``at``.

        Return the total size and count of the segments that left the window.
        """
        self._counts.append((at, size, count))
        removed_size = removed_count = 0.0
        while at - self._counts[0][0] > self._reach:
            _, size, count = self._counts.popleft()
            removed_size += size
            removed_count += count
        return removed_size, removed_count

    def densest(self, least_size: float, least_count: float) -> tuple[int, float]:
        """Return the offset and density of the densest stretch that ends now; ``(0, 0.0)`` if there is none.

        A stretch counts if its size and count reach ``least_size`` and ``least_count``.
        """
        place, density, total, counted = 0, 0.0, 0.0, 0.0
        # Compares products instead of quotients, which avoids a division per segment.
        for at, size, count in reversed(self._counts):
            total += size
            counted += count
            if total >= least_size and counted >= least_count and counted > density * total:
                place, density = at, counted / total
        return place, density
