"""Estimates with 95 % confidence intervals, as the bootstrap gives them with infinitely many resamples.

Nothing is resampled, because the limits are known. A resampled quantile is an order statistic whose rank is binomial. A
resampled mean of many values is normal. The exception are shares: the bootstrap gives a share of 0 no interval, so
Wilson's is used.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, exp, lgamma, log, sqrt
from typing import NamedTuple

_Z = 1.959964
"""Standard normal quantile of 0.975."""
_TAIL = 0.025
"""Probability beyond each end of an interval."""
_MAX_DEVIATIONS = 12
"""Standard deviations beyond which the probabilities of a binomial distribution are negligible."""
_ROUNDING = 1e-9
"""Keeps `ceil` from rounding up a product that exceeds a whole number by a rounding error only."""


class Estimate(NamedTuple):
    """A value, and the ends of its interval."""

    value: float
    low: float
    high: float


def share(count: int, total: int) -> Estimate:
    """Return a share with Wilson's interval. Source: Wilson, "Probable Inference", 1927."""
    if not total:
        return Estimate(0.0, 0.0, 1.0)
    value, spread = count / total, _Z * _Z / total
    middle = (value + spread / 2) / (1 + spread)
    half = _Z * sqrt(value * (1 - value) / total + spread / (4 * total)) / (1 + spread)
    return Estimate(value, max(middle - half, 0.0), min(middle + half, 1.0))


def quantile(ordered: Sequence[float], probability: float) -> Estimate | None:
    """Return a quantile of sorted values, such as the median for the probability 0.5; ``None`` without values."""
    number = len(ordered)
    if not number:
        return None
    low, high = _binomial_ends(number, probability)
    ranks = (max(ceil(probability * number - _ROUNDING) - 1, 0), max(low - 1, 0), min(high, number - 1))
    return Estimate(*(ordered[rank] for rank in ranks))


def mean(values: Sequence[float]) -> Estimate:
    """Return a mean with its normal interval; zeros without values."""
    number = len(values)
    if not number:
        return Estimate(0.0, 0.0, 0.0)
    middle = sum(values) / number
    half = _Z * sqrt(sum((value - middle) ** 2 for value in values)) / number
    return Estimate(middle, middle - half, middle + half)


def _binomial_ends(number: int, chance: float) -> tuple[int, int]:
    """Return the 2.5 % and 97.5 % quantiles of a binomial distribution."""
    reach = _MAX_DEVIATIONS * sqrt(number * chance * (1 - chance)) + _MAX_DEVIATIONS
    first, last = max(int(number * chance - reach), 0), min(int(number * chance + reach) + 1, number)
    cumulative, low = 0.0, first
    for count in range(first, last + 1):
        cumulative += _binomial_probability(number, count, chance)
        if cumulative < _TAIL:
            low = count + 1
        if cumulative >= 1 - _TAIL:
            return low, count
    return low, last


def _binomial_probability(number: int, count: int, chance: float) -> float:
    if chance in (0.0, 1.0):
        return float(count == number * chance)
    choices = lgamma(number + 1) - lgamma(count + 1) - lgamma(number - count + 1)
    return exp(choices + count * log(chance) + (number - count) * log(1 - chance))
