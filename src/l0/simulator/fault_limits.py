"""Decide which requests get the faults that are limited by `rate` or `times`."""

import threading
from collections import Counter
from dataclasses import replace
from random import Random

from .faults import Fault, Part


class FaultLimits:
    """Counts how often each limited fault has occurred. Thread-safe."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._lock = threading.Lock()
        self._counts: Counter[tuple[str, int, Part]] = Counter()

    def applied(self, fault: Fault, index: int, source: str) -> Fault:
        """Return the parts that apply to request `index`, without their limits.

        `source` names the text or the rule that requested the fault. `times` counts per source.
        """
        if all(part.rate is None and part.times is None for part in fault.parts):
            return fault
        kept = (part for place, part in enumerate(fault.parts) if self._applies(part, place, index, source))
        return Fault(parts=tuple(replace(part, rate=None, times=None) for part in kept))

    def clear(self) -> None:
        """Reset all counts."""
        with self._lock:
            self._counts.clear()

    def _applies(self, part: Part, place: int, index: int, source: str) -> bool:
        if part.rate is not None and Random(f"{self._seed}:{index}:fault:{place}").random() >= part.rate:
            return False
        if part.times is None:
            return True
        with self._lock:
            key = (source, place, part)
            self._counts[key] += 1
            return self._counts[key] <= part.times
