"""The circuit breaker: when it opens, who may probe, and what closes it."""

import threading

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from makers import Clock, collected
from recorded_breaker import BreakerChange, RecordedBreaker

from l0.shared_state.breaker import COOLDOWN, TRANSITIONS, Breakers, BreakerSignal, BreakerState

BEGUN = 1000.25


class Rates:
    """An SLO's burn: by window length."""

    def __init__(self, minute=(0, 0), ten=(0, 0)) -> None:
        self.figures = {60.0: minute, 600.0: ten}
        self.asked = []

    def counts(self, seconds: float) -> tuple[int, int]:
        self.asked.append(seconds)
        return self.figures.get(seconds, (0, 0))


def make(**options):
    clock = Clock(BEGUN)
    changes: list[BreakerChange] = []
    return RecordedBreaker(clock, changes=changes, **options), clock, changes


def fail(breaker, clock, times=20):
    """Calls one after another, a second apart, that all fail."""
    for _ in range(times):
        breaker.admit().fail()
        clock.now += 1


def test_a_healthy_provider_is_let_be():
    breaker, clock, changes = make()
    for _ in range(200):
        breaker.admit().succeed()
        clock.now += 0.1
    assert breaker.state is BreakerState.CLOSED
    assert changes == []


def test_it_opens_at_the_twentieth_failure_and_not_before():
    breaker, clock, changes = make()
    fail(breaker, clock, 19)
    assert breaker.state is BreakerState.CLOSED
    fail(breaker, clock, 1)
    assert breaker.state is BreakerState.OPEN
    assert breaker.admit() is None
    assert changes == [BreakerChange(before=BreakerState.CLOSED, after=BreakerState.OPEN, at=clock.now - 1)]


def test_a_share_below_half_of_the_minute_keeps_it_closed():
    breaker, clock, _ = make()
    for number in range(300):
        call = breaker.admit()
        call.fail() if number % 5 < 2 else call.succeed()
        clock.now += 0.5
    assert breaker.state is BreakerState.CLOSED


@pytest.mark.parametrize(
    ("minute", "ten", "state"),
    [
        ((20, 20), (20, 20), BreakerState.OPEN),
        ((10, 20), (20, 200), BreakerState.OPEN),
        ((9, 20), (200, 200), BreakerState.CLOSED),  # it is over
        ((10, 20), (19, 200), BreakerState.CLOSED),  # a blip
        ((19, 19), (200, 200), BreakerState.CLOSED),  # too few to say
        ((20, 20), (19, 19), BreakerState.CLOSED),
    ],
)
def test_both_windows_of_a_given_rate_must_burn(minute, ten, state):
    breaker, _, _ = make(rate=Rates(minute, ten))
    breaker.admit().fail()
    assert breaker.state is state


def test_a_success_never_opens_it():
    breaker, _, _ = make(rate=Rates((20, 20), (20, 20)))
    breaker.admit().succeed()
    assert breaker.state is BreakerState.CLOSED


def opened(**options):
    breaker, clock, changes = make(**options)
    fail(breaker, clock)
    changes.clear()
    return breaker, clock, changes


def test_the_cool_down_is_kept_and_one_probe_follows():
    breaker, clock, changes = opened()
    clock.now += COOLDOWN - 1.001  # it opened a second ago
    assert breaker.admit() is None
    clock.now += 0.001
    probe = breaker.admit()
    assert probe.probe
    assert breaker.state is BreakerState.HALF_OPEN
    assert breaker.admit() is None
    clock.now += 3600
    assert breaker.admit() is None  # however long it takes
    assert [change.after for change in changes] == [BreakerState.HALF_OPEN]


def probing(**options):
    breaker, clock, changes = opened(**options)
    clock.now += COOLDOWN
    return breaker, clock, changes, breaker.admit()


def test_a_probe_that_succeeds_closes_it():
    breaker, _, changes, probe = probing()
    probe.succeed()
    assert breaker.state is BreakerState.CLOSED
    assert [change.after for change in changes] == [BreakerState.HALF_OPEN, BreakerState.CLOSED]
    assert not breaker.admit().probe


def test_a_probe_that_fails_opens_it_for_another_cool_down():
    breaker, clock, changes, probe = probing()
    probe.fail()
    assert breaker.state is BreakerState.OPEN
    clock.now += COOLDOWN - 0.001
    assert breaker.admit() is None
    clock.now += 0.001
    assert breaker.admit().probe
    assert [change.after for change in changes] == [BreakerState.HALF_OPEN, BreakerState.OPEN, BreakerState.HALF_OPEN]


def test_released_probe_frees_the_half_open_breaker():
    breaker, _, changes, probe = probing()
    probe.release()
    assert breaker.state is BreakerState.HALF_OPEN
    assert breaker.admit().probe
    assert len(changes) == 1


def test_a_probe_that_is_forgotten_leaves_its_place_too():
    breaker, _, _, probe = probing()
    assert breaker.admit() is None
    del probe
    collected()
    assert breaker.admit().probe


def test_only_the_first_word_of_a_call_counts():
    breaker, _, changes, probe = probing()
    probe.succeed()
    probe.fail()
    probe.release()
    assert breaker.state is BreakerState.CLOSED
    released = breaker.admit()
    released.release()
    released.fail()
    assert breaker._own_window.counts(600)[0] == 20
    assert len(changes) == 2


def test_old_failures_do_not_open_it_again_once_it_has_recovered():
    breaker, clock, _, probe = probing()
    probe.succeed()
    fail(breaker, clock, 19)
    assert breaker.state is BreakerState.CLOSED
    fail(breaker, clock, 2)  # the second in which it was closed does not count
    assert breaker.state is BreakerState.OPEN


def test_breaker_asks_for_the_rate_since_it_closed():
    rates = Rates((20, 20), (20, 20))
    breaker, clock, _ = make(rate=rates)
    breaker.admit().fail()
    clock.now += COOLDOWN
    breaker.admit().succeed()
    clock.now += 7
    rates.asked.clear()
    breaker.admit().fail()
    assert rates.asked == [7.0]
    assert breaker.state is BreakerState.CLOSED


def test_calls_under_way_are_counted_and_decide_nothing():
    breaker, clock, changes = make()
    under_way = [breaker.admit() for _ in range(6)]
    fail(breaker, clock)
    under_way[0].fail()
    under_way[1].succeed()
    assert breaker.state is BreakerState.OPEN
    clock.now += COOLDOWN
    probe = breaker.admit()
    under_way[2].fail()
    under_way[3].succeed()
    under_way[4].release()
    assert breaker.state is BreakerState.HALF_OPEN
    assert breaker.admit() is None
    probe.succeed()
    under_way[5].fail()
    assert breaker.state is BreakerState.CLOSED
    assert [change.after for change in changes] == [BreakerState.OPEN, BreakerState.HALF_OPEN, BreakerState.CLOSED]


def test_half_open_breaker_admits_one_probe():
    breaker, clock, _ = opened()
    clock.now += COOLDOWN
    start = threading.Barrier(8)
    admitted = []

    def ask():
        start.wait()
        admitted.extend(call for call in (breaker.admit() for _ in range(100)) if call is not None)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [call.probe for call in admitted] == [True]


def test_every_signal_but_those_of_the_table_is_ignored():
    for state in BreakerState:
        for signal in BreakerSignal:
            breaker, _, _ = make()
            breaker._state = state
            breaker._move(signal, 0.0)
            assert breaker.state is TRANSITIONS[state].get(signal, state)


def test_breakers_share_a_clock():
    clock = Clock(BEGUN)
    breakers = Breakers(clock)
    targets = ("openai", "gpt-4o"), ("anthropic", "claude"), ("openai", "other")
    for target in targets[:2]:
        fail(breakers[target], clock)
    open_, closed = BreakerState.OPEN, BreakerState.CLOSED
    assert [breakers[target].state for target in targets] == [open_, open_, closed]
    clock.now += COOLDOWN
    assert [breakers[target].admit().probe for target in targets] == [True, True, False]


def test_breaker_uses_the_failure_rate_of_an_objective():
    burning = Rates((20, 20), (20, 20))
    breakers = Breakers(Clock(BEGUN), rates=lambda target: burning if target[0] == "openai" else None)
    for provider, state in (("openai", BreakerState.OPEN), ("anthropic", BreakerState.CLOSED)):
        breakers[provider, "m"].admit().fail()
        assert breakers[provider, "m"].state is state


class Traffic(RuleBasedStateMachine):
    """Any order of calls, ends and time: only legal moves, and never two probes."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock(BEGUN)
        self.changes: list[BreakerChange] = []
        self.breaker = RecordedBreaker(self.clock, changes=self.changes, samples=3)
        self.calls = []

    @rule(seconds=st.sampled_from([0.1, 1.0, 10.0, 30.0, 120.0]))
    def passes(self, seconds):
        self.clock.now += seconds

    @rule()
    def asks(self):
        before, since = self.breaker.state, self.changes[-1].at if self.changes else None
        probes = [call for call in self.calls if call.probe]
        call = self.breaker.admit()
        if before is BreakerState.CLOSED:
            assert not call.probe
        elif before is BreakerState.OPEN:
            assert (call is not None) == (self.clock.now >= since + COOLDOWN)
        else:
            assert (call is not None) == (not probes)
        if call is not None:
            self.calls.append(call)

    @precondition(lambda self: self.calls)
    @rule(data=st.data(), word=st.sampled_from(["fail", "fail", "succeed", "release", "forget"]))
    def ends(self, data, word):
        call = self.calls.pop(data.draw(st.integers(0, len(self.calls) - 1)))
        before = self.breaker.state
        if word != "forget":
            getattr(call, word)()
        after = self.breaker.state
        if before is BreakerState.HALF_OPEN and call.probe:
            expected = {"fail": BreakerState.OPEN, "succeed": BreakerState.CLOSED}
            assert after is expected.get(word, BreakerState.HALF_OPEN)
        elif after is not before:
            assert (before, after, word) == (BreakerState.CLOSED, BreakerState.OPEN, "fail")

    @invariant()
    def moves_are_legal(self):
        state = BreakerState.CLOSED
        for change in self.changes:
            assert change.before is state
            assert change.after in TRANSITIONS[state].values()
            state = change.after
        assert state is self.breaker.state

    @invariant()
    def one_probe_at_most(self):
        assert sum(call.probe for call in self.calls) <= (self.breaker.state is BreakerState.HALF_OPEN)


TestTraffic = Traffic.TestCase
TestTraffic.settings = settings(max_examples=80, stateful_step_count=40)
