"""Intervals agree with resampling, which they replace."""

import random
from collections.abc import Callable, Sequence

import pytest

from l0.backtest.intervals import mean, quantile, share


def resampled(values: Sequence[float], statistic: Callable[[Sequence[float]], float]) -> tuple[float, float]:
    rng = random.Random(1)
    found = sorted(statistic(rng.choices(values, k=len(values))) for _ in range(2000))
    return found[50], found[1949]


@pytest.mark.parametrize("wanted", [0.5, 0.95])
def test_quantile_has_the_interval_of_the_bootstrap(wanted: float) -> None:
    rng = random.Random(2)
    values = sorted(rng.lognormvariate(0, 0.5) for _ in range(300))
    found = quantile(values, wanted)
    low, high = resampled(values, lambda drawn: sorted(drawn)[round(wanted * len(drawn)) - 1])
    assert found is not None
    places = [values.index(one) for one in (found.low, low, found.high, high)]
    assert abs(places[0] - places[1]) <= 2
    assert abs(places[2] - places[3]) <= 2
    assert found.low <= found.value <= found.high


def test_mean_has_the_interval_of_the_bootstrap() -> None:
    values = [0.0] * 200 + [1.0] * 80 + [2.0] * 20
    found = mean(values)
    assert found.value == pytest.approx(0.4)
    assert (found.low, found.high) == pytest.approx(resampled(values, lambda drawn: sum(drawn) / 300), abs=0.01)


def test_share_has_the_interval_of_wilson() -> None:
    assert share(10, 100) == pytest.approx((0.1, 0.0552, 0.1744), abs=1e-4)
    assert share(0, 100) == pytest.approx((0.0, 0.0, 0.0370), abs=1e-4)


def test_empty_samples_have_no_figures() -> None:
    assert quantile([], 0.5) is None
    assert mean([]).value == 0
    assert share(0, 0) == (0, 0, 1)
    assert quantile([3.0], 0.99) == (3.0, 3.0, 3.0)
