"""Durations that L0 derives from others. The fields of a policy are in `test_policy.py`."""

from datetime import timedelta

import pytest

from l0.model.durations import limit_of
from l0.model.policy import Timeout


@pytest.mark.parametrize(("seconds", "limit_ms"), [(0.05, 50.0), (0.0, 1.0), (-1.0, 1.0), (2.5, 2500.0)])
def test_derived_limit_is_never_taken_for_a_mistaken_unit(seconds: float, limit_ms: float) -> None:
    assert Timeout(total=limit_of(seconds)).total == limit_ms


@pytest.mark.parametrize("seconds", [1e20, 1e300])
def test_derived_limit_has_no_overflow(seconds: float) -> None:
    assert limit_of(seconds) > timedelta(days=365)
