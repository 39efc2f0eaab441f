"""The search keeps the policies that no other one beats."""

from collections.abc import Sequence
from typing import Any

import pytest
from backtest_kit import answer, refused, traffic
from hypothesis import given
from hypothesis import strategies as st

from l0.backtest import policy_search
from l0.backtest.call_result import CallResult, Verdict
from l0.backtest.policy_backtest import PolicyResult, results_of
from l0.backtest.policy_search import Candidate, grid, pareto_front, search
from l0.backtest.recorded_traffic import RecordedTraffic
from l0.model.policy import Policy, PolicyError


def candidate(failures: int, first_token: int, requests: int) -> Candidate:
    calls = [CallResult(id="", verdict=Verdict.FAILED, requests=1)] * failures
    calls += [CallResult(id="", verdict=Verdict.WHOLE, first_token_s=float(first_token), requests=1 + requests)] * 4
    return Candidate(policy=Policy(), result=PolicyResult("", calls))


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 3), st.integers(0, 3)), min_size=1, max_size=12))
def test_front_beats_all_others(figures: list[tuple[int, int, int]]) -> None:
    tried = [candidate(*one) for one in figures]
    front = [one.costs for one in pareto_front(tried)]
    assert front == sorted(set(front))
    for one in tried:
        beaten = [all(best <= its for best, its in zip(costs, one.costs, strict=True)) for costs in front]
        assert any(beaten)
        if one.costs in front:
            assert sum(beaten) == 1


def test_grid_follows_the_recorded_times() -> None:
    made = traffic(*[[answer(n / 10)] for n in range(1, 101)])
    policies = [policy for _, policy in grid(made, Policy())]
    limits = {policy.timeout.initial_token for policy in policies if policy.timeout is not None}
    assert limits == {None, 9000.0, 9900.0}  # the median is 5 s: nothing between it and 9.9 s is worth a trial
    assert {policy.hedge.after for policy in policies if policy.hedge} == {5000.0, 9000.0, 9500.0, 9900.0}  # type: ignore[union-attr]


def test_grid_has_limits_between_two_modes() -> None:
    made = traffic(*[[answer(0.006)]] * 85, *[[answer(6.0)]] * 15)
    policies = [policy for _, policy in grid(made, Policy())]
    limits = {policy.timeout.initial_token for policy in policies if policy.timeout is not None}
    assert limits == {None, 280.0, 770.0, 2200.0, 6000.0}


def test_search_varies_the_limit_of_gaps_for_answers_that_are_held() -> None:
    made = traffic(*[[answer(0.1, 0.2, 0.3)]] * 85, *[[answer(0.1, 20.0)]] * 15)
    found = search(made, Policy(hold="message"))
    best = next(one for one in found if "gaps within 380 ms" in one.result.name)
    assert best.result.success.value > 0.98
    assert best.costs[1] < 5  # 20.1 without the limit


def test_search_tries_a_bounded_number_of_policies(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = 0

    def counted(traffic: RecordedTraffic, policies: Sequence[tuple[str, Policy]], **options: Any) -> Any:
        nonlocal tried
        tried += len(policies)
        return results_of(traffic, policies, **options)

    monkeypatch.setattr(policy_search, "results_of", counted)
    made = traffic(*[[answer(1.02**number, 1.05**number)] for number in range(200)], *[[refused()]] * 10)
    search(made, Policy(hold="message"))
    assert 140 < tried <= 280


def test_search_finds_that_retries_help() -> None:
    made = traffic(*[[answer(0.5)]] * 40, *[[refused()]] * 10)
    front = search(made, Policy())
    assert front[0].result.success.value > 0.9
    assert front[-1].result.extra_requests.value == 0
    assert front[-1].result.success.value == pytest.approx(0.8)


def test_search_refuses_a_policy_with_rules() -> None:
    with pytest.raises(PolicyError, match="does not evaluate rules"):
        search(traffic([answer(0.5)]), Policy(guardrails="strict"))
