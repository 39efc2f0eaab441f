"""The guarantees of the state machine, for any interleaving of legal signals and any policy."""

from dataclasses import dataclass, field
from math import inf

from hypothesis import given, settings
from hypothesis import strategies as st
from makers import make_call, make_failure, make_machine

from l0.engine.commands import Command, Finish, Raise, Relay, Wait
from l0.engine.machine import TRANSITIONS, CallState, Machine
from l0.engine.signals import Closed, Ended, Failed, Opened, Released, Signal, Slow, Waited
from l0.model.attempt import AttemptSpec
from l0.model.call import Call, Outcome, RetrySafety
from l0.model.failure import Category, Cause, Failure
from l0.model.policy import Fallback, Policy, Retry, Timeout
from l0.model.resume_state import ResumeState

MISSING = (None, Cause.TRUNCATED, Cause.EMPTY, Cause.NOT_A_STREAM)


@dataclass
class Walk:
    """A call, with the signals of a random driver and the commands that they gave."""

    call: Call
    machine: Machine = field(init=False)
    signals: list[Signal] = field(default_factory=list)
    commands: list[Command] = field(default_factory=list)
    states: list[CallState] = field(default_factory=list)
    at: float = 0.0

    def __post_init__(self) -> None:
        self.machine = make_machine(self.call)

    def step(self, signal: Signal) -> None:
        self.signals.append(signal)
        self.states.append(self.machine.state)
        self.commands.append(self.machine.step(signal))


states = st.none() | st.builds(ResumeState, text=st.text("ab", max_size=9))
causes = st.sampled_from(list(Cause))
policies = st.builds(
    Policy,
    retry=st.none()
    | st.builds(
        Retry,
        attempts=st.integers(0, 3),
        max_retries=st.integers(0, 4),
        base_delay=st.sampled_from([0.0, 0.5, 3.0]),
        strategy=st.sampled_from(["fixed", "exponential", "full_jitter"]),
    ),
    timeout=st.none() | st.builds(Timeout, total=st.none() | st.sampled_from([500, 4000])),
    resume=st.sampled_from(["off", "off", "exact", "prefill", "splice"]),
    fallback=st.lists(st.just(Fallback(model="other")), max_size=2),
)
calls = st.builds(
    make_call,
    policy=policies,
    max_retries=st.integers(0, 3),
    retry_safety=st.sampled_from(list(RetrySafety)),
    strict=st.sampled_from([True, False, None]),
    resumable=st.booleans(),
)


@st.composite
def walks(draw: st.DrawFn) -> Walk:
    """Draw up to thirty legal signals, in any order that a driver may send them in."""
    walk = Walk(draw(calls))
    for _ in range(draw(st.integers(1, 30))):
        kinds = sorted(TRANSITIONS[walk.machine.state], key=lambda kind: kind.__name__)
        kind = draw(st.sampled_from(kinds))
        last = walk.commands[-1] if walk.commands else None
        walk.at += draw(st.sampled_from([0.0, 0.1, 1.0]))
        if kind is Waited and isinstance(last, Wait):
            walk.at += last.seconds
        fields = {"accepted": draw(st.booleans()), "resume_state": draw(states)}
        match kind.__name__:
            case "Ended":
                walk.step(Ended(draw(st.sampled_from(MISSING)), walk.at, **fields))
            case "Failed":
                asked = draw(st.none() | st.sampled_from([0.0, 1.0, 61.0]))
                typed = draw(st.booleans())
                failure = make_failure(draw(causes), retry_after=asked, sdk_retries=draw(st.booleans()), typed=typed)
                walk.step(Failed(failure, walk.at, **fields))
            case _:
                walk.step(kind(walk.at))
    return walk


def sent(walk: Walk) -> list[AttemptSpec]:
    """Return the requests that were commanded. After `Slow`, the same command returns unless it is hedged."""
    steps = zip(walk.signals, walk.commands, strict=True)
    opens = [(signal, command) for signal, command in steps if isinstance(command, AttemptSpec)]
    return [command for signal, command in opens if command.hedge or not isinstance(signal, Slow)]


def allowed_retries(call: Call) -> int:
    """Return the number of retries that the user allows on each leg."""
    if call.max_retries == 0:
        return 0
    return call.policy.retry.max_retries if call.policy.retry is not None else call.max_retries


@given(walk=walks())
@settings(max_examples=150)
def test_attempts_and_legs_are_within_the_limits(walk):
    machine, call = walk.machine, walk.call
    opens = sent(walk)
    assert machine.attempts == len(opens)
    assert [command.number for command in opens] == list(range(1, len(opens) + 1))
    for signal, state, command in zip(walk.signals, walk.states, walk.commands, strict=True):
        if isinstance(signal, Closed):
            assert command == Finish(Outcome.CANCELLED)
        if state is CallState.DONE:
            assert isinstance(signal, Closed)
    legs = [command.leg for command in opens]
    assert legs == sorted(legs)
    assert set(legs) <= set(range(1 + len(call.policy.legs)))
    for leg in set(legs):  # each has its own budget
        assert legs.count(leg) <= 1 + allowed_retries(call) + machine.hedged
    assert sum(command.hedge for command in opens) == machine.hedged


@given(walk=walks())
@settings(max_examples=150)
def test_released_answer_is_only_resumed(walk):
    released, leg = False, 0
    for signal, command in zip(walk.signals, walk.commands, strict=True):
        released = released or isinstance(signal, Released)
        assert not (isinstance(signal, Closed) and isinstance(command, AttemptSpec | Wait))
        if not isinstance(command, AttemptSpec):
            assert not (released and isinstance(command, Wait)) or walk.call.policy.resume != "off"
        elif released:
            assert (command.resume, command.leg) == (walk.call.policy.resume, leg)
            assert walk.call.policy.resume != "off"
            assert walk.call.resumable
        else:
            assert command.resume is None
            leg = command.leg


@given(walk=walks())
@settings(max_examples=100)
def test_resumed_attempt_holds_nothing_and_has_a_resume_point(walk):
    resume_points, resuming = [], False
    received = 0
    for signal, command in zip(walk.signals, walk.commands, strict=True):
        state = getattr(signal, "resume_state", None)
        received = received if state is None else len(state.text)
        if isinstance(signal, Slow):
            assert not (resuming and command.hedge)
        elif isinstance(command, AttemptSpec):
            resuming = command.resume is not None
            resume_points += [(command.resume, received, command.number)] if resuming else []
        if isinstance(signal, Opened):
            assert command == Relay(not resuming)
    assert [
        (resume_point.strategy, resume_point.at, resume_point.attempt) for resume_point in walk.machine.resume_points
    ] == resume_points
    if resume_points and isinstance(walk.commands[-1], Finish):
        assert walk.commands[-1].outcome in (Outcome.RECOVERED_RESUME, Outcome.CANCELLED)


@given(walk=walks())
@settings(max_examples=100)
def test_accepted_request_is_not_replayed_against_its_rule(walk):
    """Before the commit point. After it, an attempt only resumes the answer."""
    for signal, state, command in zip(walk.signals, walk.states, walk.commands, strict=True):
        if (
            state is CallState.HOLDING
            and isinstance(signal, Failed | Ended)
            and isinstance(command, AttemptSpec | Wait)
        ):
            assert walk.call.retry_safety is not RetrySafety.UNTIL_ACCEPTED
            assert not signal.accepted or walk.call.retry_safety is RetrySafety.ALWAYS


@given(walk=walks())
@settings(max_examples=100)
def test_raise_has_the_last_failure_and_fatal_failures_end_the_leg(walk):
    last = 0
    for signal, command, following in zip(walk.signals, walk.commands, [*walk.commands[1:], None], strict=True):
        if isinstance(command, Raise):
            assert command.failure is walk.machine.failures[-1]
            assert following is None or following == Finish(Outcome.CANCELLED)
        if isinstance(signal, Failed) and _is_fatal(signal.failure, walk.call) and command != Raise(signal.failure):
            assert command == Wait(0.0)
            assert not isinstance(following, AttemptSpec) or following.leg == last + 1
        last = command.leg if isinstance(command, AttemptSpec) else last


def _is_fatal(failure: Failure, call: Call) -> bool:
    """Return True for a fatal failure. Without a policy the SDK's decision counts, except for an exhausted quota."""
    asked = failure.sdk_retries and call.policy.retry is None and failure.cause is not Cause.QUOTA
    return failure.category is Category.FATAL and not asked


@given(walk=walks())
@settings(max_examples=100)
def test_backoff_ends_before_the_total_timeout(walk):
    total = walk.call.policy.timeout.total if walk.call.policy.timeout else None
    limit = walk.machine.began + (inf if total is None else total / 1000)
    for signal, command in zip(walk.signals, walk.commands, strict=True):
        if isinstance(command, Wait):
            assert signal.at + command.seconds < limit
        if isinstance(command, AttemptSpec) and (command.hedge or not isinstance(signal, Slow)):
            assert signal.at < limit


@given(walk=walks())
@settings(max_examples=80)
def test_the_same_signals_always_give_the_same_commands(walk):
    again = make_machine(walk.call)
    assert [repr(again.step(signal)) for signal in walk.signals] == [repr(command) for command in walk.commands]
