"""The results of a backtest are the same wherever its jobs run."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from backtest_kit import MIXED_POLICIES, mixed_traffic, run_policy

from l0.backtest import policy_run
from l0.backtest.policy_run import jobs_of
from l0.backtest.recorded_traffic import RecordedTraffic
from l0.backtest.workers import run_policies
from l0.model.failure import Failure
from l0.model.policy import Fallback, Hedge, Policy, PolicyError, Retry


@pytest.fixture
def mixed(monkeypatch: pytest.MonkeyPatch) -> RecordedTraffic:
    """Calls of two models, in slices of seven."""
    monkeypatch.setattr(policy_run, "_SLICE", 7)
    return mixed_traffic()


def test_two_processes_find_what_one_finds(mixed: RecordedTraffic) -> None:
    policies = list(MIXED_POLICIES.values())
    alone = run_policies(mixed, policies, seed=5)
    assert run_policies(mixed, policies, seed=5, workers=2) == alone
    assert alone[0] != run_policy(mixed, policies[0], seed=6)


@pytest.mark.parametrize("policy", MIXED_POLICIES.values(), ids=MIXED_POLICIES)
def test_every_call_is_in_one_job(mixed: RecordedTraffic, policy: Policy) -> None:
    jobs = jobs_of(mixed, policy, 0)
    assert sorted(place for job in jobs for place in job.places) == list(range(96))


def test_calls_that_share_state_are_in_one_job(mixed: RecordedTraffic) -> None:
    def sizes(policy: Policy) -> list[int]:
        return [len(job.places) for job in jobs_of(mixed, policy, 0)]

    assert sizes(Policy(budget=True)) == [48, 48]
    assert sizes(Policy(budget=True, fallback=Fallback(model="gpt-4o-mini"))) == [96]
    assert sizes(Policy(hedge=Hedge(after=700))) == [7] * 13 + [5]


def test_policy_that_cannot_be_sent_is_named(mixed: RecordedTraffic) -> None:
    def every(failure: Failure) -> bool:
        return True

    policy = Policy(retry=Retry(should_retry=every))
    assert run_policies(mixed, [policy])
    with pytest.raises(PolicyError, match="can be pickled"):
        run_policies(mixed, [policy], workers=2)


def test_script_without_a_guard_gets_an_error(tmp_path: Path) -> None:
    """Its workers run the script themselves, and die. The traffic is larger than a pipe."""
    script = tmp_path / "script.py"
    kit = Path(__file__).parent
    script.write_text(
        f"import sys\nsys.path[:0] = {[str(kit), str(kit.parents[1])]!r}\n"
        "from backtest_kit import answer, traffic\nfrom l0.backtest.workers import run_policies\n"
        "from l0.model.policy import Policy\n"
        "run_policies(traffic(*[[answer(0.5 + n)] for n in range(2000)]), [Policy()], workers=2)\n"
    )
    ended = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == 1
    assert "BrokenProcessPool" in ended.stderr
    assert "__name__ == '__main__'" in ended.stderr


@pytest.mark.parametrize("workers", [0, -1, True, 2.5, "3", None])
def test_number_of_workers_is_checked(mixed: RecordedTraffic, workers: Any) -> None:
    with pytest.raises(ValueError, match=f"workers: got {workers!r}, allowed: a number of processes"):
        run_policies(mixed, [Policy()], workers=workers)
