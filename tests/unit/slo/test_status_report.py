"""The report of objectives: its numbers as text."""

from __future__ import annotations

import pytest

from l0.slo.status_report import share


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
