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

    ``families``: the families of this finding, if they are fewer than those of its detector. ``continues``: the drift
    does not end with its segment.
    """

    at: int
    confidence: float
    families: frozenset[Family] | None = None
    continues: bool = False


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

    def read(self, segment: Segment) -> DriftFinding | None:
        """Read the next segment. Return a finding if it shows drift, else ``None``."""
        ...


def confidence(value: float, threshold: float) -> float:
    """Return the confidence of a value, to 3 digits: 0.5 at the threshold, 1.0 from twice the threshold on."""
    return round(min(1.0, value / (2 * threshold)), 3)


class CountWindow:
    """Keeps the counts of each segment in the last ``reach`` characters of the answer."""

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

    def densest(self, min_size: float, min_count: float) -> tuple[int, float]:
        """Return the offset and density of the densest stretch up to the last segment; ``(0, 0.0)`` if there is none.

        Only stretches whose size and count reach ``min_size`` and ``min_count`` are compared.
        """
        place, density, total_size, total_count = 0, 0.0, 0.0, 0.0
        # Compares products instead of quotients, which avoids a division per segment.
        for at, size, count in reversed(self._counts):
            total_size += size
            total_count += count
            if total_size >= min_size and total_count >= min_count and total_count > density * total_size:
                place, density = at, total_count / total_size
        return place, density
