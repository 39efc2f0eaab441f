"""Estimates with 95 % confidence intervals: those of the bootstrap with infinitely many resamples, without resampling.

A resampled quantile is an order statistic whose rank is binomial, so its interval needs no random numbers. A resampled
mean is normal for the numbers of calls that matter. A resampled share of 0 would have no interval: Wilson's has.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, exp, lgamma, log, sqrt
from typing import NamedTuple

_Z = 1.959964
"""Standard normal quantile of 0.975."""
_TAIL = 0.025
_FAR = 12
"""Standard deviations beyond which a binomial distribution has no weight."""


class Estimate(NamedTuple):
    """A value, and the ends of its interval."""

    value: float
    low: float
    high: float


def share(count: int, of: int) -> Estimate:
    """Return a share with Wilson's interval. Source: Wilson, "Probable Inference", 1927."""
    if not of:
        return Estimate(0.0, 0.0, 1.0)
    found, spread = count / of, _Z * _Z / of
    middle = (found + spread / 2) / (1 + spread)
    half = _Z * sqrt(found * (1 - found) / of + spread / (4 * of)) / (1 + spread)
    return Estimate(found, max(middle - half, 0.0), min(middle + half, 1.0))


def quantile(ordered: Sequence[float], wanted: float) -> Estimate | None:
    """Return a quantile of sorted values; ``None`` if there are none."""
    number = len(ordered)
    if not number:
        return None
    low, high = _binomial_ends(number, wanted)
    ranks = (max(ceil(wanted * number - 1e-9) - 1, 0), max(low - 1, 0), min(high, number - 1))
    return Estimate(*(ordered[rank] for rank in ranks))


def mean(values: Sequence[float]) -> Estimate:
    """Return a mean."""
    number = len(values)
    if not number:
        return Estimate(0.0, 0.0, 0.0)
    middle = sum(values) / number
    half = _Z * sqrt(sum((value - middle) ** 2 for value in values)) / number
    return Estimate(middle, middle - half, middle + half)


def _binomial_ends(number: int, chance: float) -> tuple[int, int]:
    """Return the 2.5 % and 97.5 % quantiles of a binomial distribution."""
    reach = _FAR * sqrt(number * chance * (1 - chance)) + _FAR
    first, last = max(int(number * chance - reach), 0), min(int(number * chance + reach) + 1, number)
    seen, low = 0.0, first
    for count in range(first, last + 1):
        seen += _weight(number, count, chance)
        if seen < _TAIL:
            low = count + 1
        if seen >= 1 - _TAIL:
            return low, count
    return low, last


def _weight(number: int, count: int, chance: float) -> float:
    if chance in (0.0, 1.0):
        return float(count == number * chance)
    choices = lgamma(number + 1) - lgamma(count + 1) - lgamma(number - count + 1)
    return exp(choices + count * log(chance) + (number - count) * log(1 - chance))
