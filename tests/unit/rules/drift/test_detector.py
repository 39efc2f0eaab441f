"""The sliding window of the detectors, and the confidence of a finding."""

import pytest

from l0.rules.drift.detector import CountWindow, confidence


@pytest.mark.parametrize(("value", "expected"), [(0.0, 0.0), (1.0, 0.25), (2.0, 0.5), (4.0, 1.0), (9.0, 1.0)])
def test_confidence_is_one_half_at_the_threshold(value: float, expected: float) -> None:
    assert confidence(value, 2.0) == expected


def test_densest_stretch_ends_now_and_has_the_minimum_size() -> None:
    window = CountWindow(100)
    for at, count in ((0, 9), (10, 0), (20, 4), (30, 5)):
        window.add(at, 10, count)
    assert window.densest(10, 1) == (30, 0.5)
    assert window.densest(20, 1) == (20, 0.45)
    assert window.densest(40, 1) == (0, 0.45)
    assert window.densest(10, 99) == (0, 0.0)


def test_window_returns_the_counts_that_leave_it() -> None:
    window = CountWindow(25)
    assert window.add(0, 10, 3) == window.add(10, 10, 0) == (0, 0)
    assert window.add(30, 10, 1) == (10, 3)
    assert window.add(99, 10, 1) == (20, 1)
