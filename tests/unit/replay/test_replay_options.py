"""The options of a replay are checked."""

from math import inf, nan
from typing import Any

import pytest

from l0.replay.replay_server import ReplayOptions


@pytest.mark.parametrize(
    ("field", "value"),
    [("speed", 0), ("speed", -1.0), ("speed", nan), ("speed", "2"), ("speed", True), ("speed", None), ("match", "all")],
)
def test_an_option_that_is_not_allowed_is_named(field: str, value: Any) -> None:
    with pytest.raises(ValueError, match=rf"^{field}: got {value!r}, allowed: "):
        ReplayOptions(**{field: value})


@pytest.mark.parametrize("speed", [0.5, 10, inf])
def test_a_speed_is_any_positive_number(speed: float) -> None:
    assert ReplayOptions(speed=speed).speed == speed
