"""A backtest on Ray has the results of a local one."""

from collections.abc import Iterator

import pytest
import ray
from backtest_kit import MIXED_POLICIES, mixed_traffic

from l0.backtest import policy_run
from l0.backtest.policy_backtest import backtest
from l0.backtest.policy_search import search
from l0.backtest.ray_workers import RayWorkers
from l0.backtest.recorded_traffic import RecordedTraffic
from l0.model.failure import Failure
from l0.model.policy import Policy, Retry


@pytest.fixture
def mixed(monkeypatch: pytest.MonkeyPatch) -> RecordedTraffic:
    """Calls of two models, in slices of seven: many jobs for the workers."""
    monkeypatch.setattr(policy_run, "_SLICE", 7)
    return mixed_traffic()


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    """A cluster of two workers that the program has joined."""
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    yield
    ray.shutdown()


@pytest.mark.usefixtures("cluster")
def test_two_workers_find_what_one_process_finds(mixed: RecordedTraffic) -> None:
    alone = backtest(mixed, MIXED_POLICIES, seed=5)
    spread = backtest(mixed, MIXED_POLICIES, seed=5, workers=RayWorkers())
    assert spread == alone
    assert [one.success for one in spread] == [one.success for one in alone]
    assert ray.is_initialized()


@pytest.mark.usefixtures("cluster")
def test_search_finds_the_same_front(mixed: RecordedTraffic) -> None:
    alone, spread = search(mixed, Policy()), search(mixed, Policy(), workers=RayWorkers())
    assert alone
    assert spread == alone


@pytest.mark.usefixtures("cluster")
def test_policy_with_a_function_of_a_file_can_be_sent(mixed: RecordedTraffic) -> None:
    def first(failure: Failure) -> bool:
        return True

    policies = {"mine": Policy(retry=Retry(should_retry=first))}
    assert backtest(mixed, policies, workers=RayWorkers())[1].calls == backtest(mixed, policies)[1].calls


def test_machine_without_a_cluster_gets_one_for_the_backtest(mixed: RecordedTraffic) -> None:
    ray.shutdown()
    assert backtest(mixed, MIXED_POLICIES, workers=RayWorkers(cpus=2)) == backtest(mixed, MIXED_POLICIES)
    assert not ray.is_initialized()
