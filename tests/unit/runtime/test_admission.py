"""A breaker or a budget that refuses a request says which one it is, and how to change it."""

from makers import Clock, make_call

from l0.model.policy import Policy
from l0.runtime.admission import AdmissionControl
from l0.shared_state.breaker import COOLDOWN, SAMPLES, Breakers
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
