"""Burn-rate arithmetic: how fast an error budget is spent, and when to alert.

A burn rate of 1 spends the budget exactly at the end of its window. An alert uses two windows: the long one shows that
the burn is significant, the short one that it continues. Windows and factors are those of Google's SRE workbook
(chapter 5, 'Alerting on SLOs') for a budget of 30 days.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .objective import Objective

MINUTE = 60
HOUR = 3600
DAY = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two windows, in seconds. If the burn rate exceeds ``factor`` in both, an alert of this ``severity`` fires."""

    long: int
    short: int
    factor: float
    severity: str


PAIRS = (
    Pair(long=HOUR, short=5 * MINUTE, factor=14.4, severity="page"),
    Pair(long=6 * HOUR, short=30 * MINUTE, factor=6.0, severity="page"),
    Pair(long=DAY, short=2 * HOUR, factor=3.0, severity="ticket"),
    Pair(long=3 * DAY, short=6 * HOUR, factor=1.0, severity="ticket"),
)
WINDOWS = tuple(sorted({seconds for pair in PAIRS for seconds in (pair.long, pair.short)}))
"""All windows of the pairs in seconds, shortest first: 5 minutes to 3 days."""
MIN_BAD = 2
"""Minimum number of bad events for an alert: a single failure among few events is not a trend, whatever its share."""

_DIGITS = 12
"""Decimal digits of a remaining budget that are free of the errors of floating point."""


@dataclass(frozen=True, slots=True)
class Count:
    """Number of bad events and of all events in a window."""

    bad: int = 0
    total: int = 0

    def __add__(self, other: Count) -> Count:
        return Count(self.bad + other.bad, self.total + other.total)


def error_ratio(count: Count) -> float | None:
    """Return the share of bad events (0 to 1), or ``None`` without events."""
    return count.bad / count.total if count.total else None


def burn_rate(count: Count, objective: Objective) -> float | None:
    """Return the burn rate (1 spends the budget exactly in its window), or ``None`` without events."""
    ratio = error_ratio(count)
    return None if ratio is None else ratio / objective.budget


def budget_left(count: Count, objective: Objective) -> float | None:
    """Return the remaining share of the budget: 1 unused, 0 spent, below 0 overspent; ``None`` for insufficient data.

    ``count``: events in the window of the objective.
    """
    burn = burn_rate(count, objective) if count.total >= objective.min_events else None
    # Rounded, because an exactly spent budget would leave 1e-15; 0.0 is added because that makes -0.0 positive.
    return None if burn is None else round(1.0 - burn, _DIGITS) + 0.0


def burning(long: Count, short: Count, pair: Pair, objective: Objective) -> bool:
    """Return True if both windows of a pair exceed its factor, with enough events in the long window."""
    if long.total < objective.min_events or long.bad < MIN_BAD:
        return False
    limit = pair.factor * objective.budget
    return long.bad > limit * long.total and short.bad > limit * short.total


def firing_pair(rates: Mapping[str, float]) -> Pair | None:
    """Return the first pair whose two windows exceed its factor. ``rates``: burn rates by window, such as ``1h``."""
    for pair in PAIRS:
        if min(rates.get(duration(window), 0.0) for window in (pair.long, pair.short)) > pair.factor:
            return pair
    return None


def can_fire(pair: Pair, objective: Objective) -> bool:
    """Return True if a share of failures can exceed the pair's limit. With a lax target and a high factor, none can."""
    return pair.factor * objective.budget < 1.0


def duration(seconds: int) -> str:
    """Return a duration in the notation of Prometheus: ``5m``, ``6h``, ``30d``."""
    for unit, length in (("d", DAY), ("h", HOUR), ("m", MINUTE)):
        if seconds % length == 0:
            return f"{seconds // length}{unit}"
    return f"{seconds}s"
