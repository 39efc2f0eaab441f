"""The guarantees of the state machine, in any order of signals."""

from dataclasses import dataclass, field
from typing import get_args

import pytest
from makers import make_call, make_failure, make_machine

from l0.engine.commands import Command, Finish, Raise, Relay, Wait
from l0.engine.machine import CallState, Machine
from l0.engine.signals import Answered, Begin, Closed, Ended, Failed, Opened, Released, Signal, Slow, Waited
from l0.engine.stop_reasons import Stop, StopReason
from l0.model.attempt import AttemptSpec
from l0.model.call import Call, Outcome, RetrySafety, TerminalRule
from l0.model.failure import Category, Cause, Failure
from l0.model.policy import Fallback, Policy, ResumePoint, Retry, Timeout
from l0.model.resume_state import ResumeState

MISSING = (None, Cause.TRUNCATED, Cause.EMPTY, Cause.NOT_A_STREAM)


def run(signals: list[Signal], call: Call | None = None) -> tuple[Machine, list[Command]]:
    machine = make_machine(call)
    return machine, [machine.step(signal) for signal in signals]


# The ways of one call


def test_a_streamed_answer():
    _, commands = run([Begin(0.0), Opened(0.1), Released(0.2), Ended(None, 0.4)])
    assert commands == [AttemptSpec(number=1), Relay(True), Relay(False), Finish(Outcome.OK)]


def test_a_whole_answer():
    _, commands = run([Begin(0.0), Answered(0.1)])
    assert commands == [AttemptSpec(number=1), Finish(Outcome.OK)]


def test_retry_is_visible_in_the_outcome_only():
    policy = Policy(retry=Retry(base_delay=1.0, strategy="fixed"))
    failure = make_failure()
    signals = [Begin(0.0), Opened(0.1), Failed(failure, 0.2), Waited(1.2), Opened(1.3), Released(1.4), Ended(None, 2)]
    machine, commands = run(signals, make_call(policy=policy))
    assert commands[2:4] == [Wait(1.0), AttemptSpec(number=2, waited_s=1.0)]
    assert commands[-1] == Finish(Outcome.RECOVERED_RETRY)
    assert machine.failures == [failure]


def test_after_the_commit_point_a_failure_is_raised():
    failure = make_failure()
    _, commands = run([Begin(0.0), Opened(0.1), Released(0.2), Failed(failure, 0.3)])
    assert commands[-1] == Raise(failure)


def test_failure_of_an_opened_stream_has_the_id_of_its_request():
    policy = Policy(retry=Retry(base_delay=0))
    first = [Begin(0.0), Opened(0.1, request_id="req_1"), Ended(Cause.TRUNCATED, 0.2), Waited(0.2)]
    stated = Failed(make_failure(request_id="req_stated"), 0.5)
    second = [Opened(0.3, request_id="req_2"), stated, Waited(0.5), Failed(make_failure(), 0.6)]
    machine, _ = run([*first, *second], make_call(policy=policy))
    assert [failure.request_id for failure in machine.failures] == ["req_1", "req_stated", None]


def test_resume_policy_resumes_a_broken_answer():
    failure, policy = make_failure(), Policy(retry=Retry(base_delay=0), resume="exact")
    broken = Failed(failure, 0.3, resume_state=ResumeState(text="7 chars"))
    signals = [Begin(0.0), Opened(0.1), Released(0.2), broken, Waited(0.3), Opened(0.4), Ended(None, 1)]
    machine, commands = run(signals, make_call(policy=policy))
    assert commands[3:] == [
        Wait(0.0),
        AttemptSpec(number=2, resume="exact", resume_state=broken.resume_state),
        Relay(False),
        Finish(Outcome.RECOVERED_RESUME),
    ]
    assert machine.resume_points == [ResumePoint(strategy="exact", at=7, attempt=2)]


@pytest.mark.parametrize("resume", ["off", "prefill", "splice"])
def test_answer_without_content_is_repeated_exactly_until_content_comes(resume):
    policy = Policy(retry=Retry(base_delay=0), resume=resume)
    broken = Failed(make_failure(), 0.3, resume_state=ResumeState(text=""), early_release="seconds")
    refused = Failed(make_failure(Cause.OVERLOADED), 0.4)
    signals = [Begin(0.0), Opened(0.1), Released(0.2), broken, Waited(0.3), refused, Waited(0.4)]
    machine, commands = run(signals, make_call(policy=policy))
    assert [spec.resume for spec in commands if isinstance(spec, AttemptSpec)] == [None, "exact", "exact"]
    assert [point.strategy for point in machine.resume_points] == ["exact", "exact"]


@pytest.mark.parametrize("refused", [False, True])
def test_fallback_does_not_continue_an_answer_whose_events_without_content_name_another_model(refused):
    policy = Policy(retry=Retry(max_retries=1, base_delay=0), resume="splice", fallback=[Fallback(model="other")])
    broken = Failed(make_failure(), 0.3, resume_state=ResumeState(text=""), early_release="seconds")
    second = [Opened(0.4), broken] if not refused else [Failed(make_failure(Cause.OVERLOADED), 0.4)]
    signals = [Begin(0.0), Opened(0.1), Released(0.2), broken, Waited(0.3), *second]
    _, commands = run(signals, make_call(policy=policy))
    assert isinstance(commands[-1], Raise)


def test_retry_before_the_commit_point_drops_what_had_arrived():
    broken = Failed(make_failure(), 0.2, resume_state=ResumeState(text="7 chars"))
    machine, commands = run([Begin(0.0), Opened(0.1), broken], make_call(policy=Policy(retry=Retry(base_delay=0))))
    assert (commands[-1], machine.resume_state) == (Wait(0.0), None)


def test_answer_with_more_than_text_is_not_resumed():
    policy = Policy(retry=Retry(base_delay=0), resume="exact")
    broken = Failed(make_failure(), 0.3)
    for call in (make_call(policy=policy), make_call(policy=policy, resumable=False)):
        _, commands = run([Begin(0.0), Opened(0.1), Released(0.2), broken], call)
        assert commands[-1] == Raise(broken.failure)


def test_fallback_leg_has_its_own_retry_count():
    policy = Policy(retry=Retry(base_delay=1.0, strategy="fixed", max_retries=1), fallback=[Fallback(model="other")])
    signals: list[Signal] = [Begin(0.0)]
    for at in range(1, 8, 2):
        signals += [Failed(make_failure(Cause.OVERLOADED), at), Waited(at + 1)]
    machine, commands = run(signals[:-1], make_call(policy=policy))
    assert [
        (command.number, command.leg, command.waited_s) for command in commands if isinstance(command, AttemptSpec)
    ] == [
        (1, 0, 0.0),
        (2, 0, 1.0),
        (3, 1, 0.0),
        (4, 1, 1.0),
    ]
    assert commands[-1] == Raise(machine.failures[-1])
    assert len(machine.failures) == 4


def test_fallback_answer_sets_the_outcome():
    policy = Policy(retry=Retry(max_retries=0), fallback=Fallback(model="other"))
    signals = [Begin(0.0), Failed(make_failure(), 1), Waited(1), Opened(2), Released(2), Ended(None, 3)]
    machine, commands = run(signals, make_call(policy=policy))
    assert commands[-1] == Finish(Outcome.RECOVERED_FALLBACK)
    assert machine.leg == 1


def test_no_fallback_after_the_commit_point_or_while_resuming():
    policy = Policy(retry=Retry(max_retries=1, base_delay=0), resume="exact", fallback=Fallback(model="other"))
    failure = make_failure()
    broken = Failed(failure, 0.3, resume_state=ResumeState(text="ab"))
    before = [Begin(0.0), Opened(0.1), Released(0.2), broken, Waited(0.3)]
    for after in ([Failed(failure, 0.4)], [Opened(0.4), Failed(failure, 0.5, resume_state=ResumeState(text="ab"))]):
        _, commands = run([*before, *after], make_call(policy=policy))
        assert commands[-1] == Raise(failure)
    _, commands = run([*before[:3], Failed(failure, 0.3)], make_call(policy=policy))
    assert commands[-1] == Raise(failure)


@pytest.mark.parametrize("resume", ["splice", "restart"])
def test_fallback_resumes_after_the_commit_point(resume):
    policy = Policy(retry=Retry(max_retries=0), resume=resume, fallback=Fallback(model="other"))
    state = ResumeState(text="ab")
    signals = [Begin(0.0), Opened(0.1), Released(0.2), Failed(make_failure(), 0.3, resume_state=state), Waited(0.3)]
    machine, commands = run([*signals, Opened(0.4), Ended(None, 0.5)], make_call(policy=policy))
    assert commands[-3:] == [
        AttemptSpec(number=2, leg=1, resume=resume, resume_state=state),
        Relay(False),
        Finish(Outcome.RECOVERED_RESUME),
    ]
    assert machine.resume_points == [ResumePoint(strategy=resume, at=2, attempt=2)]


def test_leg_that_cannot_continue_is_skipped_after_the_commit_point():
    legs = [Fallback(model="second"), Fallback(model="third")]
    policy = Policy(retry=Retry(max_retries=0), resume="splice", fallback=legs)
    broken = [Begin(0.0), Opened(0.1), Released(0.2), Failed(make_failure(), 0.3, resume_state=ResumeState(text="ab"))]
    call = make_call(policy=policy, unresumable_legs=frozenset({1}))
    _, commands = run([*broken, Waited(0.3)], call)
    assert commands[-1].leg == 2
    _, commands = run(broken, make_call(policy=policy, unresumable_legs=frozenset({1, 2})))
    assert isinstance(commands[-1], Raise)
    _, commands = run([Begin(0.0), Failed(make_failure(), 0.1), Waited(0.1)], call)
    assert commands[-1].leg == 1  # nothing is to be continued


def test_bad_request_does_not_fall_back():
    policy = Policy(fallback=Fallback(model="other"))
    failure = make_failure(Cause.BAD_REQUEST, sdk_retries=False)
    _, commands = run([Begin(0.0), Failed(failure, 0.1)], make_call(policy=policy))
    assert commands[-1] == Raise(failure)


def test_a_bad_request_of_a_fallback_goes_on_with_the_next_leg():
    """It says only that this fallback does not accept the request, such as a parameter that its model lacks."""
    policy = Policy(retry=Retry(max_retries=0), fallback=[Fallback(model="second"), Fallback(model="third")])
    refused = make_failure(Cause.BAD_REQUEST, sdk_retries=False)
    signals = [Begin(0.0), Failed(make_failure(), 0.1), Waited(0.1), Failed(refused, 0.2), Waited(0.2)]
    _, commands = run([*signals, Failed(refused, 0.3)], make_call(policy=policy))
    assert [command.leg for command in commands if isinstance(command, AttemptSpec)] == [0, 1, 2]
    assert commands[-1] == Raise(refused)


@pytest.mark.parametrize(
    ("causes", "raised"),
    [
        ([Cause.RATE_LIMIT, Cause.NOT_FOUND, Cause.NOT_FOUND], 0),
        ([Cause.RATE_LIMIT, Cause.SERVER_ERROR, Cause.NOT_FOUND], 1),
        ([Cause.RATE_LIMIT, Cause.NOT_FOUND, Cause.SERVER_ERROR], 2),
        ([Cause.NOT_FOUND, Cause.NOT_FOUND, Cause.NOT_FOUND], 0),
    ],
)
def test_failure_before_a_fallback_without_the_model_is_raised(causes, raised):
    """A fallback whose model does not exist at this provider shows nothing about the call."""
    policy = Policy(retry=Retry(max_retries=0), fallback=[Fallback(model="second"), Fallback(model="third")])
    failures = [make_failure(cause, sdk_retries=False) for cause in causes]
    first, second, third = (Failed(failure, 0.1) for failure in failures)
    machine, commands = run([Begin(0.0), first, Waited(0.1), second, Waited(0.1), third], make_call(policy=policy))
    assert isinstance(commands[-1], Raise)
    assert commands[-1].failure is failures[raised]
    assert machine.failures == failures


def test_failure_of_a_skipped_leg_is_raised_if_the_fallback_does_not_exist():
    policy = Policy(retry=Retry(max_retries=0), fallback=Fallback(model="second"))
    machine = make_machine(make_call(policy=policy), admission=FakeGuard(shut=(0,)))
    machine.step(Begin(0.0))
    command = machine.step(Failed(make_failure(Cause.NOT_FOUND, sdk_retries=False), 0.1))
    assert command.failure.cause is Cause.BREAKER_OPEN


def test_no_fallback_after_the_total_timeout():
    policy = Policy(timeout=Timeout(total=1000), retry=Retry(max_retries=0), fallback=Fallback(model="other"))
    _, early = run([Begin(0.0), Failed(make_failure(), 0.9)], make_call(policy=policy))
    _, late = run([Begin(0.0), Failed(make_failure(), 1.0)], make_call(policy=policy))
    assert early[-1] == Wait(0.0)
    assert isinstance(late[-1], Raise)


@pytest.mark.parametrize(
    ("strict", "missing", "released", "expected"),
    [
        (True, None, True, Finish(Outcome.OK)),
        (True, Cause.TRUNCATED, True, "raise"),
        (True, Cause.TRUNCATED, False, "wait"),
        (False, Cause.TRUNCATED, True, Finish(Outcome.OK, ("truncated",))),
        (False, Cause.TRUNCATED, False, Finish(Outcome.OK, ("truncated",))),
        (None, Cause.TRUNCATED, True, Finish(Outcome.OK)),
        (True, Cause.EMPTY, False, "wait"),
        (False, Cause.EMPTY, False, "wait"),
        (None, Cause.EMPTY, False, "wait"),
        (None, Cause.EMPTY, True, "raise"),
        (False, Cause.NOT_A_STREAM, False, "wait"),
        (None, Cause.NOT_A_STREAM, False, "wait"),
    ],
)
def test_missing_terminal_event_by_strictness(strict, missing, released, expected):
    before = [Begin(0.0), Opened(0.1), *([Released(0.2)] if released else [])]
    machine, commands = run([*before, Ended(missing, 0.3)], make_call(strict=strict))
    last = commands[-1]
    if isinstance(expected, str):
        assert isinstance(last, Wait if expected == "wait" else Raise)
        assert [failure.cause for failure in machine.failures] == [missing]
    else:
        assert last == expected


@pytest.mark.parametrize("strict", [True, False])
def test_missing_terminal_event_by_the_rule_of_its_leg(strict):
    policy = Policy(retry=Retry(max_retries=0), fallback=Fallback(model="other"))
    call = make_call(policy=policy, strict=not strict, fallback_rules=(TerminalRule("http://other", strict),))
    fallen = [Begin(0.0), Failed(make_failure(), 0.1), Waited(0.1), Opened(0.2), Released(0.3)]
    _, commands = run([*fallen, Ended(Cause.TRUNCATED, 0.4)], call)
    accepted = Finish(Outcome.RECOVERED_FALLBACK, ("truncated",))
    assert isinstance(commands[-1], Raise) if strict else commands[-1] == accepted


@pytest.mark.parametrize("end", [Opened(0.1), Released(0.2), Failed(make_failure(), 0.3)])
def test_closing_cancels_in_any_state_without_a_retry(end):
    signals: list[Signal] = [Begin(0.0)]
    for signal in (Opened(0.1), Released(0.2)):
        if signal.at <= end.at and not (isinstance(end, Failed) and isinstance(signal, Released)):
            signals.append(signal)
    if isinstance(end, Failed):
        signals.append(end)
    machine, commands = run([*signals, Closed(0.4), Closed(0.5)])
    assert commands[-2:] == [Finish(Outcome.CANCELLED)] * 2
    assert machine.state is CallState.DONE
    assert not any(isinstance(command, AttemptSpec) for command in commands[1:])


# The clock of the whole call


def test_retry_beyond_the_total_timeout_is_not_made():
    policy = Policy(timeout=Timeout(total=1000), retry=Retry(base_delay=0.5, strategy="fixed"))
    _, early = run([Begin(10.0), Opened(10.1), Failed(make_failure(), 10.4)], make_call(policy=policy))
    _, late = run([Begin(10.0), Opened(10.1), Failed(make_failure(), 10.5)], make_call(policy=policy))
    assert isinstance(early[-1], Wait)
    assert isinstance(late[-1], Raise)
    assert late[-1].stop == Stop(StopReason.WAIT_TOO_LONG, 0.5)


def test_a_wait_beyond_the_total_timeout_falls_back_at_once():
    policy = Policy(
        timeout=Timeout(total=8000),
        retry=Retry(max_retries=1, base_delay=0),
        fallback=[Fallback(model="second"), Fallback(model="third")],
    )
    busy = make_failure(Cause.RATE_LIMIT, retry_after=20.0)
    signals = [Begin(0.0), Failed(busy, 0.1), Waited(0.1), Failed(busy, 0.2), Waited(0.2), Failed(busy, 0.3)]
    _, commands = run(signals, make_call(policy=policy))
    assert [command.leg for command in commands if isinstance(command, AttemptSpec)] == [0, 1, 2]
    assert commands[1] == commands[3] == Wait(0.0)
    assert commands[1].stop == Stop(StopReason.WAIT_TOO_LONG, 20.0)
    assert commands[-1] == Raise(busy)
    assert commands[-1].stop == Stop(StopReason.WAIT_TOO_LONG, 20.0)


@pytest.mark.parametrize("cause", [Cause.BAD_REQUEST, Cause.LOCAL])
def test_a_wait_beyond_the_total_timeout_falls_back_only_where_another_leg_may_succeed(cause):
    policy = Policy(timeout=Timeout(total=1000), fallback=Fallback(model="second"))
    failure = make_failure(cause, category=Category.TRANSIENT, sdk_retries=True, retry_after=20.0)
    machine = Machine(make_call(policy=policy), lambda: 0.5, lambda _number, _failure: 20.0)
    machine.step(Begin(0.0))
    assert machine.step(Failed(failure, 0.1)) == Raise(failure)


def test_a_failure_without_a_retry_drops_no_wait():
    policy = Policy(timeout=Timeout(total=1000), retry=Retry(max_retries=0))
    _, commands = run([Begin(10.0), Opened(10.1), Failed(make_failure(), 10.4)], make_call(policy=policy))
    assert isinstance(commands[-1], Raise)
    assert commands[-1].stop == Stop(StopReason.RETRIES_USED)


def test_sdk_backoff_beyond_the_total_timeout_is_not_waited_for():
    policy = Policy(timeout=Timeout(total=1000))
    _, early = run([Begin(0.0), Failed(make_failure(), 0.7)], make_call(policy=policy))
    _, late = run([Begin(0.0), Failed(make_failure(), 0.9)], make_call(policy=policy))
    assert early[-1] == Wait(0.25)
    assert isinstance(late[-1], Raise)


def test_no_request_after_the_total_timeout():
    """A sleep may take longer than it was asked to."""
    policy, failure = Policy(timeout=Timeout(total=1000)), make_failure()
    _, commands = run([Begin(0.0), Failed(failure, 0.5), Waited(5.0)], make_call(policy=policy))
    assert commands[-1] == Raise(failure)


def test_delay_without_policy_is_the_sdk_backoff():
    asked = []

    def backoff(number: int, failure: object) -> float:
        asked.append((number, failure))
        return 7.5

    first, second = make_failure(Cause.OVERLOADED), make_failure(Cause.OVERLOADED)
    machine = Machine(make_call(), lambda: 0.5, backoff)
    steps = (Begin(0.0), Failed(first, 1.0), Waited(9.0), Failed(second, 10.0))
    assert [machine.step(step) for step in steps] == [
        AttemptSpec(number=1),
        Wait(7.5),
        AttemptSpec(number=2, waited_s=7.5),
        Wait(7.5),
    ]
    assert asked == [(1, first), (2, second)]


def test_sdk_backoff_counts_the_retries_of_a_leg():
    asked = []

    def backoff(number: int, _failure: object) -> float:
        asked.append(number)
        return 0.0

    call = make_call(policy=Policy(fallback=[Fallback(model="other")]))
    machine = Machine(call, lambda: 0.5, backoff)
    machine.step(Begin(0.0))
    for _ in range(4):
        machine.step(Failed(make_failure(Cause.OVERLOADED), 1.0))
        spec = machine.step(Waited(1.0))
    assert spec == AttemptSpec(number=5, leg=1)
    assert asked == [1, 2, 1]


# What the shared health allows


@dataclass
class FakeGuard:
    """Breakers that are open at some legs, and a budget of so many retries."""

    shut: tuple[int, ...] = ()
    retries: int = 100
    asked: list[int] = field(default_factory=list)

    def may_open(self, leg: int) -> bool:
        self.asked.append(leg)
        return leg not in self.shut

    def may_retry(self, *, by_server: bool) -> bool:
        self.retries -= 1
        return self.retries >= 0

    def may_hedge(self) -> bool:
        return self.may_retry(by_server=False)

    refusal = "the guard says no"


LEGS = Policy(retry=Retry(base_delay=0), fallback=[Fallback(model="second"), Fallback(model="third")])


def test_leg_with_an_open_breaker_is_skipped_without_a_request():
    machine = make_machine(make_call(policy=LEGS), admission=FakeGuard(shut=(0, 1)))
    assert machine.step(Begin(0.0)) == AttemptSpec(number=1, leg=2)
    assert [failure.cause for failure in machine.failures] == [Cause.BREAKER_OPEN] * 2


def test_all_breakers_open_sends_no_request():
    machine = make_machine(make_call(policy=LEGS), admission=FakeGuard(shut=(0, 1, 2)))
    command = machine.step(Begin(0.0))
    assert isinstance(command, Raise)
    assert command.failure.cause is Cause.BREAKER_OPEN
    assert command.failure.message == "the guard says no"
    assert (machine.attempts, machine.state) == (0, CallState.DONE)


def test_breakers_are_checked_leg_by_leg():
    guard = FakeGuard(shut=(1,))
    policy = Policy(retry=Retry(max_retries=0), fallback=LEGS.fallback)
    machine = make_machine(make_call(policy=policy), admission=guard)
    machine.step(Begin(0.0))
    machine.step(Failed(make_failure(), 0.1))
    assert machine.step(Waited(0.1)) == AttemptSpec(number=2, leg=2)
    assert guard.asked == [0, 1, 2]


def test_skipped_leg_takes_no_retry_from_the_next():
    policy = Policy(retry=Retry(base_delay=0, max_retries=1), fallback=LEGS.fallback)
    machine = make_machine(make_call(policy=policy), admission=FakeGuard(shut=(0,)))
    assert machine.step(Begin(0.0)) == AttemptSpec(number=1, leg=1)
    legs = []
    for _ in range(2):
        machine.step(Failed(make_failure(), 0.1))
        legs.append(machine.step(Waited(0.1)).leg)
    assert legs == [1, 2]


def test_exhausted_retry_budget_falls_back_or_raises():
    failure = make_failure()
    machine = make_machine(make_call(policy=LEGS), admission=FakeGuard(retries=1))
    machine.step(Begin(0.0))
    assert machine.step(Failed(failure, 0.1)) == Wait(0.0)
    assert machine.step(Waited(0.1)) == AttemptSpec(number=2)
    machine.step(Failed(failure, 0.2))
    assert machine.step(Waited(0.2)) == AttemptSpec(number=3, leg=1)
    alone = make_machine(admission=FakeGuard(retries=0))
    alone.step(Begin(0.0))
    command = alone.step(Failed(failure, 0.1))
    assert command == Raise(failure)
    assert command.stop == Stop(StopReason.REFUSED, text="the guard says no")


# Hedges


def test_slow_attempt_is_hedged_once_per_call():
    machine = make_machine()
    machine.step(Begin(0.0))
    assert machine.step(Slow(0.5)) == AttemptSpec(number=2, hedge=True)
    assert machine.step(Slow(0.9)) == AttemptSpec(number=2)
    assert (machine.attempts, machine.retries, machine.hedged) == (2, 0, True)
    assert machine.state is CallState.OPENING


def test_hedge_is_sent_to_the_leg_of_the_slow_attempt():
    machine = make_machine(make_call(policy=LEGS), admission=FakeGuard(shut=(0,)))
    machine.step(Begin(0.0))
    assert machine.step(Slow(1.0)) == AttemptSpec(number=2, leg=1, hedge=True)


def test_retry_that_is_not_hedged_keeps_its_spec():
    policy = Policy(retry=Retry(base_delay=1.0, strategy="fixed"))
    machine = make_machine(make_call(policy=policy), admission=FakeGuard(retries=1))
    machine.step(Begin(0.0))
    machine.step(Failed(make_failure(), 0.1))
    assert machine.step(Waited(1.1)) == machine.step(Slow(2.0)) == AttemptSpec(number=2, waited_s=1.0)


@pytest.mark.parametrize("hedge", [True, False])
def test_hedge_winner_sets_the_outcome(hedge):
    machine, commands = run([Begin(0.0), Slow(0.5), Opened(0.6, hedge), Released(0.7), Ended(None, 1.0)], make_call())
    assert commands[-1] == Finish(Outcome.RECOVERED_HEDGE if hedge else Outcome.OK)
    assert machine.failures == []


@pytest.mark.parametrize("safety", [RetrySafety.UNTIL_ACCEPTED, RetrySafety.UNTIL_EFFECT])
def test_call_that_is_not_safe_to_retry_is_not_hedged(safety):
    machine = make_machine(make_call(retry_safety=safety))
    first = machine.step(Begin(0.0))
    assert machine.step(Slow(0.5)) == first


def test_without_budget_there_is_no_hedge():
    machine = make_machine(admission=FakeGuard(retries=0))
    first = machine.step(Begin(0.0))
    assert machine.step(Slow(0.5)) == first
    assert machine.attempts == 1


def test_samples_cover_all_signals():
    assert {Begin, Slow, Answered, Opened, Released, Ended, Failed, Waited, Closed} == set(get_args(Signal))


# Limits: exactly at the end of the total timeout, and while resuming


@pytest.mark.parametrize(("at", "command"), [(0.9995, Wait), (1.0, Raise)])
def test_total_timeout_ends_at_its_millisecond(at, command):
    policy = Policy(timeout=Timeout(total=1000), retry=Retry(base_delay=0))
    _, commands = run([Begin(0.0), Failed(make_failure(), at)], make_call(policy=policy))
    assert isinstance(commands[-1], command)


@pytest.mark.parametrize(("at", "command"), [(0.9995, AttemptSpec), (1.0, Raise)])
def test_no_attempt_starts_at_the_end_of_the_total_timeout(at, command):
    policy = Policy(timeout=Timeout(total=1000), retry=Retry(base_delay=0))
    _, commands = run([Begin(0.0), Failed(make_failure(), 0.5), Waited(at)], make_call(policy=policy))
    assert isinstance(commands[-1], command)


@pytest.mark.parametrize(("at", "hedged"), [(0.5, True), (1.0, False), (2.0, False)])
def test_hedge_needs_remaining_time(at, hedged):
    _, commands = run([Begin(0.0), Slow(at)], make_call(policy=Policy(timeout=Timeout(total=1000))))
    assert commands[-1].hedge is hedged


def test_failure_of_a_resumed_attempt_is_resumed_without_a_hedge():
    policy, state = Policy(retry=Retry(base_delay=0), resume="exact"), ResumeState(text="ab")
    broken = Failed(make_failure(), 0.3, resume_state=state)
    signals = [Begin(0.0), Opened(0.1), Released(0.2), broken, Waited(0.3), Slow(0.4), Failed(make_failure(), 0.5)]
    _, commands = run([*signals, Waited(0.5)], make_call(policy=policy))
    assert commands[5].hedge is False
    assert (commands[-1].number, commands[-1].resume, commands[-1].resume_state) == (3, "exact", state)


@pytest.mark.parametrize(("seconds", "own", "asked"), [(3.0, 1.0, True), (1.0, 1.0, False), (5.0, 4.0, False)])
def test_sdk_wait_is_asked_for_only_if_the_server_lengthened_it(seconds, own, asked):
    class Recorder(FakeGuard):
        def may_retry(self, *, by_server: bool) -> bool:
            self.asked.append(by_server)
            return True

    def backoff(_number: int, failure: Failure) -> float:
        return own if failure.error is None else seconds

    guard = Recorder()
    machine = Machine(make_call(), lambda: 0.5, backoff, guard)
    machine.step(Begin(0.0))
    failure = make_failure(Cause.RATE_LIMIT, status=429, retry_after=3.0, error=RuntimeError())
    assert machine.step(Failed(failure, 0.1)) == Wait(seconds)
    assert guard.asked == [0, asked]


def test_last_of_several_failures_is_raised_at_the_end_of_the_total_timeout():
    policy, first, last = Policy(timeout=Timeout(total=1000), retry=Retry(base_delay=0)), make_failure(), make_failure()
    _, commands = run(
        [Begin(0.0), Failed(first, 0.1), Waited(0.1), Failed(last, 0.2), Waited(5.0)], make_call(policy=policy)
    )
    assert commands[-1] == Raise(last)


def test_open_breaker_of_the_last_leg_is_raised_after_other_failures():
    guard = FakeGuard()
    machine = make_machine(make_call(policy=Policy(retry=Retry(base_delay=0))), admission=guard)
    machine.step(Begin(0.0))
    machine.step(Failed(make_failure(), 0.1))
    guard.shut = (0,)
    command = machine.step(Waited(0.1))
    assert isinstance(command, Raise)
    assert command.failure.cause is Cause.BREAKER_OPEN


# An async veto, which the driver asks for


async def veto(_: Failure) -> bool:
    raise AssertionError("the machine must not ask")


ASKING = Retry(base_delay=0, should_retry=veto)


def test_an_async_veto_is_asked_for_during_the_wait():
    guard = FakeGuard(retries=1)
    machine = make_machine(make_call(policy=Policy(retry=ASKING)), admission=guard)
    machine.step(Begin(0.0))
    assert machine.step(Failed(make_failure(), 0.1)) == Wait(0.0, asks=True)
    assert guard.retries == 1  # the budget pays for what the user has allowed
    assert machine.step(Waited(0.2)) == AttemptSpec(number=2)
    assert guard.retries == 0
    machine.step(Failed(make_failure(), 0.3))
    refused = machine.step(Waited(0.4))
    assert isinstance(refused, Raise)
    assert refused.stop.reason is StopReason.REFUSED


def test_an_async_veto_falls_back_or_raises():
    guard = FakeGuard(retries=0)
    policy = Policy(retry=ASKING, fallback=[Fallback(model="second")])
    machine = make_machine(make_call(policy=policy), admission=guard)
    machine.step(Begin(0.0))
    machine.step(Failed(make_failure(), 0.1))
    fallen = machine.step(Waited(0.1, vetoed=True))
    assert (fallen, fallen.stop) == (Wait(0.0), Stop(StopReason.VETOED))
    assert machine.step(Waited(0.1)) == AttemptSpec(number=2, leg=1)
    last = make_failure(Cause.OVERLOADED)
    machine.step(Failed(last, 0.2))
    raised = machine.step(Waited(0.2, vetoed=True))
    assert (raised, raised.stop) == (Raise(last), Stop(StopReason.VETOED))


def test_an_async_veto_of_a_resumed_answer_raises():
    state = ResumeState(text="salt")
    call = make_call(policy=Policy(retry=ASKING, resume="exact"))
    machine = make_machine(call)
    for signal in (Begin(0.0), Opened(0.1), Released(0.2)):
        machine.step(signal)
    assert machine.step(Failed(make_failure(), 0.3, True, state)) == Wait(0.0, asks=True)
    assert machine.step(Waited(0.3, vetoed=True)).stop == Stop(StopReason.VETOED)
