"""A breaker or a budget that refuses a request says which one it is, and how to change it."""

import pytest
from makers import Clock, make_call, make_failure

from l0.model.failure import Cause
from l0.model.policy import Policy
from l0.runtime.admission import AdmissionControl
from l0.shared_state.breaker import COOLDOWN, SAMPLES, Breaker, Breakers, BreakerState
from l0.shared_state.budget import CAPACITY, COST, FLOOR
from l0.shared_state.shared import SharedState


def test_refusal_of_a_breaker_names_it_and_the_time_left() -> None:
    time, state = Clock(), SharedState()
    state.breakers = Breakers(time)
    call = make_call(policy=Policy(breaker=True))
    for _ in range(SAMPLES):
        time.now += 1
        permit = state.breakers[call.provider, call.model].admit()
        assert permit is not None
        permit.fail()
    time.now += COOLDOWN - 12.5
    guard = AdmissionControl(call, state)
    assert not guard.may_open(0)
    assert guard.refusal == (
        f"the circuit breaker of {call.provider} {call.model} is open for another 12.5 s, because too many of its "
        "calls failed; breaker=False disables it"
    )
    time.now += 12.5
    assert guard.may_open(0)
    other = AdmissionControl(call, state)
    assert not other.may_open(0)
    assert "is half-open: one call at a time tests the provider; breaker=False" in other.refusal


def test_refusal_of_a_budget_names_it_and_its_share() -> None:
    call, state = make_call(policy=Policy(budget=True)), SharedState()
    guard = AdmissionControl(call, state)
    for _ in range(round((CAPACITY - FLOOR) / COST)):
        assert guard.may_retry(by_server=False)
    assert guard.refusal == ""
    assert not guard.may_retry(by_server=False)
    assert guard.refusal == (
        f"the retry budget of {call.provider} {call.model} is used up. It allows one more request per 10 successful "
        "calls, and 5 at once; budget=False disables it"
    )
    assert guard.may_retry(by_server=True)
    assert not guard.may_hedge()


def breaker_after(state: SharedState, *causes: Cause) -> Breaker:
    """Let one attempt fail for each cause, within a minute; return the breaker after its cool-down."""
    time, call = Clock(), make_call(policy=Policy(breaker=True))
    state.breakers = Breakers(time)
    for cause in causes:
        time.now += 0.1
        guard = AdmissionControl(call, state)
        if guard.may_open(0):
            guard.ended(make_failure(cause))
    time.now += COOLDOWN
    return state.breakers[call.provider, call.model]


FAILING = [Cause.SERVER_ERROR] * SAMPLES
NOT_THE_PROVIDERS = (
    Cause.TOTAL_TIMEOUT,
    Cause.LOCAL,
    Cause.INTERNAL,
    Cause.DIVERGED,
    Cause.QUOTA,
    Cause.UNKNOWN,
)


@pytest.mark.parametrize("cause", NOT_THE_PROVIDERS)
def test_probe_whose_failure_says_nothing_about_the_provider_leaves_the_breaker_half_open(cause: Cause) -> None:
    state = SharedState()
    breaker = breaker_after(state, *FAILING)
    assert breaker.description.startswith("open")
    guard = AdmissionControl(make_call(policy=Policy(breaker=True)), state)
    assert guard.may_open(0)
    guard.ended(make_failure(cause))
    assert breaker.state is BreakerState.HALF_OPEN
    assert guard.may_open(0), "the next call may test the provider"


@pytest.mark.parametrize("cause", NOT_THE_PROVIDERS)
def test_breaker_does_not_count_failures_that_say_nothing_about_the_provider(cause: Cause) -> None:
    """They are not successes either: those would hide the failures of the provider."""
    assert breaker_after(SharedState(), *[cause] * 3 * SAMPLES).state is BreakerState.CLOSED
    assert breaker_after(SharedState(), *[cause] * 3 * SAMPLES, *FAILING).state is BreakerState.OPEN


def test_breaker_counts_a_certificate_that_is_not_accepted_as_a_failure() -> None:
    assert breaker_after(SharedState(), *[Cause.TLS_CERTIFICATE] * SAMPLES).state is BreakerState.OPEN


@pytest.mark.parametrize("cause", [Cause.BAD_REQUEST, Cause.AUTHENTICATION, Cause.GUARDRAIL_VIOLATION])
def test_probe_that_the_provider_answers_closes_the_breaker(cause: Cause) -> None:
    state = SharedState()
    breaker = breaker_after(state, *FAILING)
    guard = AdmissionControl(make_call(policy=Policy(breaker=True)), state)
    assert guard.may_open(0)
    guard.ended(make_failure(cause))
    assert breaker.state is BreakerState.CLOSED
