"""A recorded call under other policies, with attempts made by hand."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from backtest_kit import answer, broken, cut, refused, result, run_policy, traffic

from l0.backtest.attempt_timeline import AttemptTimeline
from l0.backtest.call_result import Verdict
from l0.backtest.policy_backtest import PolicyResult, check_testable
from l0.backtest.recorded_traffic import RecordedTraffic
from l0.model.call import RetrySafety
from l0.model.failure import Cause
from l0.model.policy import BackoffStrategy, Fallback, Hedge, Policy, PolicyError, Retry, Timeout

WHOLE, FAILED, SILENT, UNKNOWN = Verdict.WHOLE, Verdict.FAILED, Verdict.SILENT, Verdict.UNKNOWN
FIXED = Retry(base_delay=1.0, strategy=BackoffStrategy.FIXED)
OTHERS = [[answer(0.5, 1.0)]] * 8
"""Calls whose answers are all alike, from which further attempts are drawn."""


def first_within(limit: float, **fields: object) -> Policy:
    return Policy(timeout=Timeout(initial_token=limit, inter_token=None), **fields)  # type: ignore[arg-type]


def test_healthy_call_is_served_as_recorded() -> None:
    found = result(traffic([answer(0.5, 1.0)]), Policy())
    assert (found.verdict, found.requests, found.extra_tokens) == (WHOLE, 1, 0)
    assert found.first_token_s == pytest.approx(0.5)
    assert found.total_s == pytest.approx(1.1)


def test_recorded_retry_is_used_before_any_is_drawn() -> None:
    found = result(traffic([refused(0.2), answer(3.0)], *OTHERS), Policy(retry=FIXED))
    assert (found.verdict, found.requests) == (WHOLE, 2)
    assert found.first_token_s == pytest.approx(0.2 + 1.0 + 3.0)


def test_retry_that_was_not_recorded_is_drawn() -> None:
    found = result(traffic([refused(0.2)], *OTHERS), Policy(retry=FIXED))
    assert (found.verdict, found.requests) == (WHOLE, 2)
    assert found.first_token_s == pytest.approx(0.2 + 1.0 + 0.5)


def test_retry_without_comparable_attempts_is_unknown() -> None:
    found = result(traffic([refused(0.2)], *OTHERS[:2]), Policy(retry=FIXED))
    assert found.verdict is UNKNOWN
    assert found.reason == "too few attempts of gpt-4o at api.example.com:443 in this hour: 3 of 5"
    assert result(traffic([refused(0.2)]), Policy(retry=Retry(max_retries=0))).verdict is FAILED


def test_deadline_ends_a_slow_attempt() -> None:
    found = result(traffic([answer(4.0)], *OTHERS), first_within(2000, retry=FIXED))
    assert (found.verdict, found.requests) == (WHOLE, 2)
    assert found.first_token_s == pytest.approx(2.0 + 1.0 + 0.5)
    given_up = result(traffic([answer(4.0)], *OTHERS), first_within(2000, retry=Retry(max_retries=0)))
    assert (given_up.verdict, given_up.reason) == (FAILED, "first_content_timeout")


def test_limit_that_was_longer_shows_a_cut_attempt_as_far_as_others_do() -> None:
    slow = [[answer(6.0)]] * 5
    found = result(traffic([cut(2.0)], *OTHERS, *slow), first_within(9000, retry=FIXED))
    assert (found.verdict, found.requests) == (WHOLE, 1)
    assert found.first_token_s == pytest.approx(6.0)
    unknown = result(traffic([cut(2.0)], *OTHERS), first_within(9000, retry=FIXED))
    assert unknown.verdict is UNKNOWN
    assert "without content after 2 s" in unknown.reason


def test_shorter_limit_needs_no_draw_for_a_cut_attempt() -> None:
    found = result(traffic([cut(2.0)]), first_within(1000, retry=Retry(max_retries=0)))
    assert (found.verdict, found.total_s) == (FAILED, pytest.approx(1.0))


def test_same_limit_ends_a_cut_attempt_again() -> None:
    for ends_at in (2.0, 1.1 + 0.9, 2.0 - 1e-12, 2.0001):
        found = result(traffic([cut(ends_at)]), first_within(2000, retry=Retry(max_retries=0)))
        assert (found.verdict, found.reason) == (FAILED, "first_content_timeout")


def test_answer_that_the_user_stopped_is_unknown() -> None:
    found = result(traffic([answer(0.5, ends_at=0.7, cut_short=True)], *OTHERS), Policy())
    assert (found.verdict, found.reason) == (UNKNOWN, "the rest of an answer that was cut off is not recorded")


@pytest.mark.parametrize(("hold", "verdict", "requests"), [("first_content", FAILED, 1), ("message", WHOLE, 2)])
def test_hold_decides_about_an_answer_that_breaks_after_its_first_content(
    hold: object, verdict: Verdict, requests: int
) -> None:
    policy = Policy(retry=FIXED, hold=hold)  # type: ignore[arg-type]
    found = result(traffic([broken(0.5, 1.0, ends_at=1.2)], *OTHERS), policy)
    assert (found.verdict, found.requests) == (verdict, requests)


def test_tokens_of_attempts_that_did_not_serve_are_counted() -> None:
    policy = Policy(retry=FIXED, hold="message")
    found = result(traffic([broken(0.5, 1.0, 1.5, ends_at=1.6)], *OTHERS), policy)
    assert (found.verdict, found.extra_tokens) == (WHOLE, 3)


@pytest.mark.parametrize(("truncation", "verdict"), [("strict", FAILED), ("warn", SILENT), ("off", SILENT)])
def test_truncated_answer_is_silent_unless_the_policy_is_strict(truncation: object, verdict: Verdict) -> None:
    policy = Policy(truncation=truncation)  # type: ignore[arg-type]
    assert result(traffic([answer(0.5, missing=Cause.TRUNCATED)]), policy).verdict is verdict


def test_answer_resumed_in_a_way_that_was_not_recorded_is_unknown() -> None:
    made = traffic([replace(broken(0.5, ends_at=1.0), resumable=True)], *OTHERS)
    found = result(made, Policy(retry=FIXED, resume="exact"))
    assert found.verdict is UNKNOWN
    assert "that resume by 'exact'" in found.reason


def test_fallback_to_a_model_without_recordings_is_unknown() -> None:
    policy = Policy(retry=Retry(max_retries=0), fallback=Fallback(model="other"))
    found = result(traffic([refused()], *OTHERS), policy)
    assert found.verdict is UNKNOWN
    assert "attempts of other at" in found.reason


HEDGED = Policy(hedge=Hedge(after=1000), retry=FIXED)


@pytest.mark.parametrize(
    ("own", "requests", "first_token"),
    [
        (answer(0.8), 1, 0.8),
        (answer(4.0), 2, 1.5),
        (answer(1.2), 2, 1.2),
        (refused(1.2), 2, 1.5),
        (refused(0.5), 2, 2.0),
    ],
    ids=["quick", "slow", "first wins", "first fails in the race", "first fails before it"],
)
def test_hedge_races_a_slow_attempt(own: AttemptTimeline, requests: int, first_token: float) -> None:
    found = result(traffic([own], *OTHERS), HEDGED)
    assert (found.verdict, found.requests) == (WHOLE, requests)
    assert found.first_token_s == pytest.approx(first_token)


def test_recorded_loser_of_a_race_loses_it_again() -> None:
    """Its recording ends with the race, and nothing more is needed of it."""
    made = traffic([cut(1.5)], *OTHERS)
    hedge = replace(made.calls[0].attempts[0], hedge=True, timeline=answer(0.5))
    call = replace(made.calls[0], attempts=[*made.calls[0].attempts, hedge])
    found = result(RecordedTraffic([call]), HEDGED)
    assert (found.verdict, found.requests, found.first_token_s) == (WHOLE, 2, pytest.approx(1.5))


def test_race_ends_at_the_limits_of_both_requests() -> None:
    slow = [[answer(8.0)]] * 8
    policy = first_within(2000, hedge=Hedge(after=1000), retry=Retry(max_retries=0))
    found = result(traffic(*slow), policy)
    assert (found.verdict, found.reason, found.requests) == (FAILED, "first_content_timeout", 2)
    assert found.total_s == pytest.approx(3.0)


def test_hedge_runs_on_after_the_limit_of_the_first_request() -> None:
    policy = first_within(2000, hedge=Hedge(after=1000), retry=Retry(max_retries=0))
    found = result(traffic([answer(8.0)], *[[answer(1.5)]] * 8), policy)
    assert (found.verdict, found.requests) == (WHOLE, 2)
    assert found.first_token_s == pytest.approx(2.5)


def test_request_that_must_not_run_twice_is_not_hedged() -> None:
    found = result(traffic([answer(4.0)], *OTHERS, retry_safety=RetrySafety.UNTIL_ACCEPTED), HEDGED)
    assert (found.requests, found.first_token_s) == (1, pytest.approx(4.0))


def test_budget_is_shared_in_the_order_of_time() -> None:
    """Five extra requests are allowed at once; the calls that fail first get them."""
    made = traffic(*[[refused(0.2)]] * 8, *[[answer(0.5)]] * 5, spacing=0.001)
    policy = Policy(retry=Retry(max_retries=1, base_delay=1.0, strategy=BackoffStrategy.FIXED), budget=True)
    requests = [call.requests for call in run_policy(made, policy)]
    assert requests[:8] == [2, 2, 2, 2, 2, 1, 1, 1]


def test_breaker_opens_after_failures_and_closes_after_its_cooldown() -> None:
    made = traffic(*[[refused(0.2)]] * 30, *[[answer(0.5)]] * 60)
    found = run_policy(made, Policy(retry=Retry(max_retries=0), breaker=True))
    reasons = [call.reason for call in found]
    opened = reasons.index("breaker_open")
    assert 20 <= opened <= 25
    later = reasons[opened + 31 :]
    assert "breaker_open" not in later[1:]
    assert found[-1].verdict is WHOLE


def test_hedge_by_quantile_starts_after_twenty_samples() -> None:
    made = traffic(*[[answer(0.5)]] * 30, [answer(5.0)])
    assert [call.requests for call in run_policy(made, Policy(hedge=True))] == [1] * 30 + [2]


def test_answer_in_one_piece_has_one_time() -> None:
    whole = AttemptTimeline(ends_at=2.0, opened_at=1.9)
    found = result(traffic([whole], streaming=False), first_within(500))
    assert (found.verdict, found.first_token_s, found.total_s) == (WHOLE, pytest.approx(2.0), pytest.approx(2.0))


def test_total_limit_holds_over_all_attempts() -> None:
    policy = Policy(timeout=Timeout(initial_token=None, inter_token=None, total=1500), retry=FIXED)
    found = result(traffic([refused(0.2)], *OTHERS), policy)
    assert (found.verdict, found.reason, found.total_s) == (FAILED, "total_timeout", pytest.approx(1.5))


def test_same_seed_gives_the_same_results() -> None:
    calls: Sequence[Sequence[AttemptTimeline]] = [[refused(0.2)]] * 20 + [[answer(n / 10)] for n in range(1, 40)]
    made = traffic(*calls)
    first, again, other = (run_policy(made, Policy(retry=Retry()), seed) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_policy_with_rules_is_refused() -> None:
    with pytest.raises(PolicyError, match="does not evaluate rules"):
        check_testable(Policy(guardrails="recommended"))
    check_testable(Policy(guardrails="none"))


@pytest.mark.parametrize("hedged", [False, True], ids=["retries", "hedges"])
def test_budget_counts_the_requests_that_it_paid_and_refused(hedged: bool) -> None:
    """A full budget allows five at once, and each of the ten successes a tenth of one more."""
    slow = answer(4.0) if hedged else refused(0.2)
    policy = Policy(retry=Retry(max_retries=1, base_delay=1.0, strategy=BackoffStrategy.FIXED), budget=True)
    policy = replace(policy, hedge=Hedge(after=1000)) if hedged else policy
    found = run_policy(traffic(*[[slow]] * 8, *[[answer(0.5)]] * 10, spacing=0.001), policy)
    assert [call.budget_paid for call in found[:8]] == [1, 1, 1, 1, 1, 0, 0, 0]
    assert [call.budget_refused for call in found[:8]] == [False] * 5 + [True] * 3
    assert {(call.budget_paid, call.budget_refused) for call in found[8:]} == {(0, False)}
    result = PolicyResult("", found, has_budget=True)
    assert result.budget_spent is not None
    assert result.budget_refusals is not None
    assert result.budget_spent.value == pytest.approx(5 / (0.1 * sum(call.verdict is WHOLE for call in found)))
    assert result.budget_refusals.value == pytest.approx(3 / 18)
    assert PolicyResult("", found).budget_spent is None


def test_an_async_veto_is_asked() -> None:
    async def never(_: object) -> bool:
        return False

    async def failing(_: object) -> bool:
        raise LookupError

    vetoed = result(traffic([refused(0.2)], *OTHERS), Policy(retry=replace(FIXED, should_retry=never)))
    assert (vetoed.verdict, vetoed.requests) == (FAILED, 1)
    ignored = result(traffic([refused(0.2)], *OTHERS), Policy(retry=replace(FIXED, should_retry=failing)))
    assert (ignored.verdict, ignored.requests) == (WHOLE, 2)
