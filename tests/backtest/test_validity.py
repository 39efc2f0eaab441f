"""Backtests against reality: the same policies, really run on the simulator in virtual time.

``L0_BACKTEST_CALLS=4000`` compares all policies with as many real calls each, which takes a quarter of an hour, and
prints the table of docs/backtest.md. Fewer calls may differ by chance.
"""

import os
from pathlib import Path

import pytest
from compared_policies import POLICIES
from simulated_traffic import record

from l0.backtest.call_result import Verdict
from l0.backtest.policy_backtest import PolicyResult, backtest
from l0.backtest.recorded_traffic import RecordedTraffic
from l0.model.policy import Policy

CALLS = int(os.environ.get("L0_BACKTEST_CALLS", "0"))
SAMPLE = 60
"""Calls of the quick test, which takes about 2 s."""


@pytest.mark.parametrize("name", ["first content 1 s", "hedge after 800 ms"])
def test_backtest_of_the_recorded_policy_is_the_recording(tmp_path: Path, name: str) -> None:
    record(tmp_path, POLICIES[name], SAMPLE, seed=3)
    recorded, result = backtest(tmp_path, {name: POLICIES[name]})
    assert len(recorded.calls) == SAMPLE
    assert sum(call.requests for call in recorded.calls) > SAMPLE
    assert result.changed(recorded) == []
    for before, after in zip(recorded.calls, result.calls, strict=True):
        if after.requests == 1:  # delays before retries have a random part
            assert after.total_s == pytest.approx(before.total_s, abs=0.03)
            assert after.first_token_s == pytest.approx(before.first_token_s, abs=0.03)


@pytest.mark.skipif(
    not CALLS, reason="it takes a quarter of an hour: set L0_BACKTEST_CALLS to the number of real calls per policy"
)
def test_backtest_predicts_what_each_policy_does(tmp_path: Path) -> None:
    record(tmp_path / "recorded", Policy(), 2 * CALLS, seed=1)
    traffic = RecordedTraffic.load(tmp_path / "recorded")
    lines, wrong = list[str](), list[str]()
    for seed, (name, policy) in enumerate(POLICIES.items(), start=2):
        record(tmp_path / name, policy, CALLS, seed)
        calls = RecordedTraffic.load(tmp_path / name).calls
        real, predicted = PolicyResult(name, [call.recorded for call in calls]), backtest(traffic, {name: policy})[1]
        lines.append(f"| {name} | {row(real, predicted)} |")
        wrong += [f"{name}: {one}" for one in differences(real, predicted)]
    print("\n".join(lines))
    assert wrong == []


def figures(result: PolicyResult) -> tuple[float, float, float]:
    """Return the success in points, the 95th percentile of the first token in s, and the extra requests per call."""
    first = result.first_token_s[1]
    assert first is not None
    return 100 * result.success.value, first.value, result.extra_requests.value


def row(real: PolicyResult, predicted: PolicyResult) -> str:
    """Return the cells of the table in the docs."""
    pairs = zip(figures(real), figures(predicted), (".1f", ".2f", ".3f"), strict=True)
    return " | ".join(f"{was:{form}} | {said:{form}}" for was, said, form in pairs)


def differences(real: PolicyResult, predicted: PolicyResult) -> list[str]:
    """Return the figures that are further apart than 1 point, 10 % or 5 %."""
    assert predicted.share(Verdict.UNKNOWN).value == 0
    was, said = figures(real), figures(predicted)
    most = (1.0, 0.1 * was[1], 0.05 * was[2])
    names = ("success", "first token p95", "extra requests")
    return [name for name, one, two, limit in zip(names, was, said, most, strict=True) if abs(one - two) > limit]
