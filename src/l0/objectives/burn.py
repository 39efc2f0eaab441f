"""Burn-rate arithmetic: how fast an error budget is spent, and when that is worth a person's attention.

A burn rate of 1 spends the budget exactly by the end of its window. An alert needs two windows: the long one says that
it matters, the short one that it goes on. Windows and factors are those of Google's SRE workbook (chapter 5, 'Alerting
on SLOs') for a budget of thirty days.
"""

from __future__ import annotations

from dataclasses import dataclass

from .objective import Objective

MINUTE = 60
HOUR = 3600
DAY = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A long and a short window, in seconds, and the burn rate that is too much over both."""

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
"""Every window of a pair, shortest first: 5 minutes to 3 days."""
LEAST_BAD = 2
"""Bad events below which no burn is told: one failure among few is no trend, whatever its share."""


@dataclass(frozen=True, slots=True)
class Count:
    """Events of one window."""

    bad: int = 0
    total: int = 0

    def __add__(self, other: Count) -> Count:
        return Count(self.bad + other.bad, self.total + other.total)


def error_ratio(count: Count) -> float | None:
    """The share of bad events; ``None`` where there were none at all."""
    return count.bad / count.total if count.total else None


def burn_rate(count: Count, objective: Objective) -> float | None:
    """How many times faster than allowed the budget is spent; ``None``: no events."""
    ratio = error_ratio(count)
    return None if ratio is None else ratio / objective.budget


def budget_left(count: Count, objective: Objective) -> float | None:
    """The share of the budget that is left: 1 untouched, 0 spent, below 0 overspent. ``None``: insufficient data.

    ``count``: over the objective's own window.
    """
    burn = burn_rate(count, objective) if count.total >= objective.min_events else None
    return None if burn is None else 1.0 - burn


def burning(long: Count, short: Count, pair: Pair, objective: Objective) -> bool:
    """Whether both windows of a pair are above its factor, and enough has happened to say so."""
    if long.total < objective.min_events or long.bad < LEAST_BAD:
        return False
    limit = pair.factor * objective.budget
    return long.bad > limit * long.total and short.bad > limit * short.total


def can_fire(pair: Pair, objective: Objective) -> bool:
    """Whether any failure share is above the pair's limit: not so for lax targets and high factors."""
    return pair.factor * objective.budget < 1.0


def duration(seconds: int) -> str:
    """As Prometheus writes it: ``5m``, ``6h``, ``30d``."""
    for unit, length in (("d", DAY), ("h", HOUR), ("m", MINUTE)):
        if seconds % length == 0:
            return f"{seconds // length}{unit}"
    return f"{seconds}s"
