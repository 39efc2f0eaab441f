"""Shadow mode knows every way to wait, to resume and to fall back that the engine has."""

from types import SimpleNamespace
from typing import Any, cast, get_args

import pytest
from makers import Clock, make_call, make_failure

from l0.engine.retry import AttemptProgress, Phase, RetryAfter, retry_decision
from l0.model.call_events import ShadowDecision
from l0.model.failure import Cause
from l0.model.policy import BackoffStrategy, Fallback, OrderMode, Policy, ResumeMode, Retry, Timeout
from l0.runtime.shadow import ShadowPolicy
from l0.shared_state.breaker import COOLDOWN, SAMPLES, Breakers, BreakerState
from l0.shared_state.budget import CAPACITY, COST, FLOOR
from l0.shared_state.shared import SharedState


def decisions(policy: Policy, progress: AttemptProgress, cause: Cause = Cause.SERVER_ERROR) -> list[Any]:
    """Return what the shadow of a policy records about three failures."""
    recorded: list[Any] = []
    shadow = ShadowPolicy(make_call(), policy, SharedState(), recorded.append, 0.0)
    for number in range(3):
        shadow.failed(make_failure(cause), progress, float(number))
    return recorded


@pytest.mark.parametrize("strategy", BackoffStrategy)
def test_backoff_strategy_has_shadow_support(strategy: BackoffStrategy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("l0.runtime.shadow.random", lambda: 0.5)
    policy, progress = Policy(retry=Retry(strategy=strategy)), AttemptProgress(Phase.OPENING)
    history: list[Any] = []
    active = []
    for _ in range(3):
        decision = retry_decision(
            make_call(policy=policy), make_failure(Cause.SERVER_ERROR), progress, history, lambda: 0.5
        )
        assert isinstance(decision, RetryAfter), f"the engine has no delay for {strategy}"
        active.append(decision.seconds)
        history.append(make_failure(Cause.SERVER_ERROR))
    found = [(event.action, event.wait_s) for event in decisions(policy, progress)]
    assert found == [("retry", seconds) for seconds in active], f"shadow mode lacks the backoff strategy {strategy}"


@pytest.mark.parametrize("mode", get_args(ResumeMode))
def test_resume_mode_has_shadow_support(mode: ResumeMode) -> None:
    progress = AttemptProgress(Phase.RELAYING, accepted=True, resumable=True)
    found = decisions(Policy(retry=Retry(), resume=mode), progress, Cause.RESET)
    expected = "raise" if mode == "off" else "resume"
    assert [event.action for event in found] == [expected] * 3, f"shadow mode lacks the resume mode {mode}"


@pytest.mark.parametrize(
    ("order", "actions"), [("evidence", ["raise"] * 3), ("strict", ["raise"] * 3), ("off", [])], ids=str
)
def test_order_mode_has_shadow_support(order: OrderMode, actions: list[str]) -> None:
    """With ``off`` the policy would have accepted what fails without it."""
    found = decisions(Policy(order=order), AttemptProgress(Phase.RELAYING), Cause.OUT_OF_ORDER)
    assert [event.action for event in found] == actions


@pytest.mark.parametrize("order", get_args(OrderMode))
@pytest.mark.parametrize("disordered", [True, False])
def test_shadow_records_that_order_strict_would_have_failed(order: OrderMode, disordered: bool) -> None:
    recorded: list[Any] = []
    shadow = ShadowPolicy(make_call(), Policy(order=order), SharedState(), recorded.append, 0.0)
    reader: Any = SimpleNamespace(disordered=disordered)
    shadow.complete_answer(reader, 1.0)
    wanted = [("interrupt", Cause.OUT_OF_ORDER)] if disordered and order == "strict" else []
    assert [(event.action, event.cause) for event in recorded] == wanted


def test_fallback_has_shadow_support() -> None:
    policy = Policy(retry=Retry(max_retries=0), fallback=Fallback(model="other"))
    found = decisions(policy, AttemptProgress(Phase.OPENING))
    assert all(isinstance(event, ShadowDecision) for event in found)
    assert [event.action for event in found] == ["fallback", "raise", "raise"]


def test_shadow_falls_back_if_the_wait_passes_the_time_limit_of_the_call() -> None:
    policy = Policy(
        timeout=Timeout(total=1500), retry=Retry(base_delay=2.0, strategy="fixed"), fallback=Fallback(model="other")
    )
    found = decisions(policy, AttemptProgress(Phase.OPENING))
    assert [event.action for event in found] == ["fallback", "raise", "raise"]


def test_shadow_goes_on_after_a_bad_request_of_a_fallback() -> None:
    policy = Policy(retry=Retry(max_retries=0), fallback=[Fallback(model="second"), Fallback(model="third")])
    recorded: list[Any] = []
    shadow = ShadowPolicy(make_call(), policy, SharedState(), recorded.append, 0.0)
    for cause in (Cause.SERVER_ERROR, Cause.BAD_REQUEST, Cause.BAD_REQUEST):
        shadow.failed(make_failure(cause), AttemptProgress(Phase.OPENING), 0.0)
    assert [event.action for event in recorded] == ["fallback", "fallback", "raise"]


def shadow_failures(state: SharedState) -> list[Any]:
    """Return what shadow mode records of calls that fail, more than its budget and its breaker allow."""
    recorded: list[Any] = []
    for _ in range(2 * SAMPLES):
        policy = Policy(retry=Retry(), budget=True, breaker=True)
        shadow = ShadowPolicy(make_call(), policy, state, recorded.append, 0.0)
        shadow.sent(0.0)
        shadow.failed(make_failure(Cause.SERVER_ERROR), AttemptProgress(Phase.OPENING), 1.0)
    return recorded


def test_shadow_leaves_the_retry_budget_and_the_probe_to_active_policies() -> None:
    state, call, time = SharedState(), make_call(), Clock()
    state.breakers = Breakers(time)
    for _ in range(SAMPLES):
        time.now += 1
        permit = state.breakers[call.provider, call.model].admit()
        assert permit is not None
        permit.fail()
    time.now += COOLDOWN
    shadow_failures(state)
    assert state.retry_budgets[call.provider, call.model].level == CAPACITY
    assert state.breakers[call.provider, call.model].state is BreakerState.OPEN


def test_shadow_leaves_the_budget_and_the_breaker_of_a_fleet_alone() -> None:
    state = SharedState()
    state.share(cast("Any", SimpleNamespace(begin=lambda: None)))  # any other use of it fails
    shadow_failures(state)


def test_shadow_reports_what_its_own_budget_and_breaker_would_have_refused() -> None:
    actions = [event.action for event in shadow_failures(SharedState())]
    assert actions.count("retry") == round((CAPACITY - FLOOR) / COST)
    assert actions.count("refuse") == SAMPLES
