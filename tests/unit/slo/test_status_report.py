"""The report of objectives: its numbers as text."""

from __future__ import annotations

import pytest

from l0.slo.burn import PAIRS, Count, budget_left
from l0.slo.objective import Indicator, Objective
from l0.slo.status_report import Burn, share


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.995, "99.5 %"),
        (-199.0, "-19,900 %"),
        (-1234.5, "-123,450 %"),
        (0.0, "0 %"),
        (1.0, "100 %"),
        (0.0000012, "0.00012 %"),
        (-9.994, "-999.4 %"),
        (None, "-"),
    ],
)
def test_shares_are_written_without_exponents(value: float | None, text: str) -> None:
    assert share(value) == text


@pytest.mark.parametrize(
    ("pair", "rate", "left", "severity", "speed"),
    [
        (PAIRS[0], 199.99, -3.2, "page", "200 times too fast in 1h; the budget is spent"),
        (PAIRS[2], 3.04, 0.5, "ticket", "3 times too fast in 1d; 50 % of the budget is left"),
        (PAIRS[1], 14.4, None, "page", "14.4 times too fast in 6h"),
    ],
)
def test_a_burn_is_a_sentence(pair, rate, left, severity, speed):
    objective = Objective(name="up", indicator=Indicator.AVAILABILITY, target=0.99)
    burn = Burn(objective=objective, provider="openai", model="gpt-4o", pair=pair, rate=rate, budget_left=left)
    assert str(burn) == f"{severity}: openai gpt-4o burns the budget of 'up' {speed}"


@pytest.mark.parametrize(("target", "bad", "total"), [(0.99, 1, 100), (0.95, 5, 100), (0.9, 10, 100), (0.995, 1, 200)])
def test_exactly_spent_budget_is_spent(target: float, bad: int, total: int) -> None:
    """In floating point, ``1.0 - 0.99`` is not 0.01."""
    objective = Objective(name="up", indicator=Indicator.AVAILABILITY, target=target)
    left = budget_left(Count(bad, total), objective)
    assert (left, share(left)) == (0.0, "0 %")
