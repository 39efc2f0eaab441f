"""What the detectors share: what they are, what they find, and a window of what they have counted."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Protocol

from .segments import Segment


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Drift, from ``at`` on (characters of the answer before it). ``confidence``: 0 to 1."""

    at: int
    confidence: float


class Detector(Protocol):
    """Looks for one type of drift in one answer, segment by segment."""

    def take(self, segment: Segment) -> Finding | None:
        """What this segment, after those before it, shows."""
        ...


def confidence(value: float, threshold: float) -> float:
    """One half at the threshold, certain at twice of it."""
    return round(min(1.0, value / (2 * threshold)), 3)


class Window:
    """Counts of the last ``reach`` characters, by segment."""

    __slots__ = ("_counts", "_reach")

    def __init__(self, reach: int) -> None:
        self._reach = reach
        self._counts: deque[tuple[int, float, float]] = deque()

    def add(self, at: int, size: float, count: float) -> tuple[float, float]:
        """``count`` things in ``size``. Returns size and count of what has left the window by that."""
        self._counts.append((at, size, count))
        gone_size = gone_count = 0.0
        while at - self._counts[0][0] > self._reach:
            _, size, count = self._counts.popleft()
            gone_size += size
            gone_count += count
        return gone_size, gone_count

    def densest(self, least_size: float, least_count: float) -> tuple[int, float]:
        """Where the stretch up to now begins that holds most per size, and how much: ``(0, 0.0)`` for none."""
        place, density, total, counted = 0, 0.0, 0.0, 0.0
        for at, size, count in reversed(self._counts):
            total += size
            counted += count
            if total >= least_size and counted >= least_count and counted > density * total:
                place, density = at, counted / total
        return place, density
