"""Delays of known models, and under load."""

import pytest

from l0.simulator.latency_profiles import PROFILES, profile
from l0.simulator.pacing import Delays, Pacer
from l0.testing import simulator


@pytest.mark.parametrize("name", PROFILES)
def test_profile_has_plausible_delays(name: str) -> None:
    assert 100 < profile(name).first_token_ms < 10_000
    assert 1 < profile(name).inter_token_ms < 100
    with simulator(delays=name) as sim:
        assert sim.config.delays == PROFILES[name]


def test_unknown_profile_error_names_all() -> None:
    with pytest.raises(ValueError, match=r"delays: 'gpt-1' is unknown; allowed are gemini-2\.5-flash-lite"):
        simulator(delays="gpt-1")


@pytest.mark.parametrize(("concurrent", "factor"), [(0, 1), (1, 1), (5, 2), (9, 3), (17, 5)])
def test_load_lengthens_delays_evenly(concurrent: int, factor: float) -> None:
    delays = Delays(first_token_ms=100, inter_token_ms=10, sigma=0, load_factor=3, capacity=9)
    assert delays.factor_at(concurrent) == factor
    pacer = Pacer(delays, seed=0, index=0, concurrent=lambda: concurrent)
    assert (pacer.first_token(), pacer.inter_token()) == pytest.approx((0.1 * factor, 0.01 * factor))


def test_load_can_change_during_an_answer() -> None:
    active = iter([1, 9])
    delays = Delays(inter_token_ms=10, sigma=0, load_factor=3, capacity=9)
    pacer = Pacer(delays, seed=0, index=0, concurrent=lambda: next(active))
    assert [pacer.inter_token(), pacer.inter_token()] == pytest.approx([0.01, 0.03])


@pytest.mark.parametrize("options", [{"load_factor": 0.9}, {"load_factor": float("nan")}, {"capacity": 1}])
def test_invalid_load_is_refused(options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(options))}: .* given, allowed is"):
        Delays(**options)  # type: ignore[arg-type]
