"""Objectives in process: call events are judged, counted and reported."""

from __future__ import annotations

import os
import threading
import tracemalloc
from dataclasses import replace
from math import ceil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from makers import Clock, collected, held_elsewhere, make_call, make_end, make_stats

from l0.model.attempt import AttemptSpec
from l0.model.call import Call, LegEndpoint, Outcome
from l0.model.call_events import AttemptEnded, AttemptStarted
from l0.model.failure import Cause, Failure
from l0.model.policy import Fallback, Policy, PolicyError
from l0.shared_state import slo_history
from l0.shared_state.breaker import Breaker, BreakerState
from l0.shared_state.burn_alerts import RETRY_AFTER_S
from l0.shared_state.slo_tracker import MAX_TARGETS, SloTracker, target_of
from l0.slo.burn import DAY, HOUR, PAIRS, WINDOWS, Count
from l0.slo.judging import AttemptRecord
from l0.slo.objective import DEFAULTS, Indicator, Objective
from l0.slo.rolling_windows import RINGS
from l0.slo.status_report import Burn

START = 1_700_000_000.0
TARGET = ("openai", "gpt-4o")
UP = Objective(name="up", indicator=Indicator.AVAILABILITY, target=0.99)


@pytest.fixture
def clock() -> Clock:
    return Clock(START)


@pytest.fixture
def slos(clock) -> SloTracker:
    return SloTracker(clock)


def failure(cause: Cause = Cause.SERVER_ERROR) -> Failure:
    return Failure(cause=cause, message="x", status=500 if cause is Cause.SERVER_ERROR else None)


def play(
    slos: SloTracker, *attempts: Failure | None, outcome: Outcome | None = None, of: Call | None = None, **stats: int
) -> None:
    """One call; a failure, or ``None`` for the attempt that serves, for each attempt, each on its own leg if it can."""
    of = of or make_call()
    watcher = slos.observe(of)
    for number, failed in enumerate(attempts, start=1):
        leg = min(number - 1, len(of.policy.legs))
        watcher.notify(AttemptStarted(attempt=AttemptSpec(number=number, leg=leg), at=number))
        status = 200 if failed is None or failed.status is None else failed.status
        watcher.notify(AttemptEnded(number=number, failure=failed, status=status, request_id=None, at=number + 0.5))
    last = attempts[-1]
    usual = Outcome.FAILED if last is not None else Outcome.OK if len(attempts) == 1 else Outcome.RECOVERED_RETRY
    watcher.notify(
        make_end(
            outcome=outcome or usual,
            failure=last,
            failures=tuple(one for one in attempts if one is not None),
            attempts=len(attempts),
            stream_stats=make_stats(**stats),
        )
    )


def counts(slos: SloTracker, target: tuple[str, str] = TARGET) -> dict[str, tuple[int, int]]:
    """Bad and all events, by objective."""
    return {
        tally.slo: (tally.count.bad, tally.count.total)
        for tally in slos.tallies()
        if (tally.provider, tally.model) == target
    }


def test_attempts_and_delivered_calls_are_counted_apart(slos):
    play(slos, None)
    play(slos, failure(), None)
    play(slos, failure(), failure(Cause.RATE_LIMIT))
    assert counts(slos) == {
        "availability": (2, 4),
        "capacity": (1, 5),
        "first-token": (0, 2),
        "stall": (0, 2),
        "truncation": (0, 2),
        "delivered": (1, 3),
        "masked": (1, 2),
    }


def test_slo_counts_attempts_by_leg_and_calls_by_primary(slos):
    policy = Policy(fallback=Fallback(model="small"))
    play(slos, failure(), None, outcome=Outcome.RECOVERED_FALLBACK, of=make_call(policy=policy))
    assert counts(slos)["availability"] == (1, 1)
    assert counts(slos, ("openai", "small"))["availability"] == (0, 1)
    assert counts(slos)["delivered"] == (0, 1)
    assert counts(slos, ("openai", "small"))["delivered"] == (0, 0)


def test_the_target_of_another_client_is_its_host():
    class Url:
        host = "other.example.com"

    class Client:
        base_url = Url()

    of = make_call(policy=Policy(fallback=[Fallback(client=Client()), Fallback(model="m")]))
    assert [target_of(of, leg) for leg in range(3)] == [TARGET, ("other.example.com", "gpt-4o"), ("openai", "m")]
    same = LegEndpoint("openai", "other.example.com", 443), of.endpoint(0)
    assert target_of(replace(of, fallback_endpoints=same), 1) == ("other.example.com", "gpt-4o")


def test_the_target_of_a_client_of_another_provider_is_that_provider():
    """Its attempts count together with calls whose primary it is."""

    class Client:
        base_url = "https://api.groq.com"

    policy = Policy(fallback=Fallback(client=Client()))
    of = make_call(policy=policy, fallback_endpoints=(LegEndpoint("groq", "api.groq.com", 443),))
    assert target_of(of, 1) == ("groq", "gpt-4o")


def test_a_stall_that_ended_an_attempt_is_not_counted_against_the_next(slos):
    play(slos, failure(Cause.STALLED), None, stalls=1, stalls_of_last=0)
    assert counts(slos)["stall"] == (1, 2)
    play(slos, None, stalls=1, stalls_of_last=1)
    assert counts(slos)["stall"] == (2, 3)


def test_stall_of_the_served_answer_counts_beside_attempts_that_stalled_sooner(slos):
    """An attempt may end by `Timeout.inter_token` before its silence counts as a stall of 10 s."""
    play(slos, failure(Cause.STALLED), None, stalls=1, stalls_of_last=1)
    assert counts(slos)["stall"] == (2, 2)


def test_lost_hedge_is_not_judged(slos):
    watcher = slos.observe(make_call())
    watcher.notify(AttemptStarted(attempt=AttemptSpec(number=1), at=1.0))
    watcher.notify(AttemptStarted(attempt=AttemptSpec(number=2, hedge=True), at=2.0))
    watcher.notify(AttemptEnded(number=1, failure=None, status=200, request_id=None, at=3.0, lost=True))
    assert counts(slos)["availability"] == (0, 0)


def test_hedged_attempt_that_failed_by_itself_is_judged(slos):
    watcher = slos.observe(make_call())
    watcher.notify(AttemptStarted(attempt=AttemptSpec(number=1), at=1.0))
    watcher.notify(AttemptStarted(attempt=AttemptSpec(number=2, hedge=True), at=2.0))
    timed_out = failure(Cause.FIRST_CONTENT_TIMEOUT)
    watcher.notify(AttemptEnded(number=1, failure=timed_out, status=200, request_id=None, at=3.0, lost=True))
    assert counts(slos)["availability"] == (0, 1)
    assert counts(slos)["first-token"] == (1, 1)
    watcher.notify(AttemptEnded(number=2, failure=failure(), status=500, request_id=None, at=3.0, lost=True))
    assert counts(slos)["availability"] == (1, 2)


def test_abandoned_attempt_is_not_a_failure(slos):
    play(slos, None, outcome=Outcome.CANCELLED)
    assert counts(slos)["delivered"] == (0, 0)
    assert counts(slos)["availability"] == (0, 1)
    assert counts(slos)["truncation"] == (0, 0)


def test_too_little_data_is_reported_as_unknown(slos):
    for _ in range(19):
        play(slos, None)
    assert all(
        standing.ratio is standing.budget_left is standing.burn(HOUR) is None for standing in slos.report().statuses
    )
    assert "insufficient data" in str(slos.report())
    play(slos, None)
    assert {standing.budget_left for standing in slos.report().statuses} == {1.0}


def test_report_has_budget_burn_and_saved_calls(slos, clock):
    for number in range(200):
        play(slos, *((failure(), None) if number % 10 == 0 else (None,)))
        clock.now += 1
    report = slos.report()
    availability = next(standing for standing in report.statuses if standing.objective.name == "availability")
    assert availability.count == Count(20, 220)
    assert availability.budget_left == pytest.approx(1 - 20 / 220 / 0.01)
    assert availability.burn(HOUR) == pytest.approx(20 / 220 / 0.01)
    assert [pair.factor for pair in availability.burning] == [6.0, 3.0, 1.0]
    assert report.masked[0].ratio == 0.1
    text = str(report)
    assert "20 of 200 successful calls were saved by recovery (10 %)" in text
    assert text.index("Attempts") < text.index("Delivered")


def test_empty_slo_report_explains_the_start(slos):
    assert "l0.slo.start()" in str(slos.report())


def test_on_burn_is_called_once_per_burn(slos, clock):
    told = []
    slos.start(on_burn=told.append)
    for _ in range(30):
        play(slos, failure())
    names = [(burn.objective.name, burn.pair.factor) for burn in told]
    assert sorted(names) == sorted((slo, factor) for slo in ("availability", "delivered") for factor in (14.4, 6, 3, 1))
    assert told[0].provider == "openai"
    assert told[0].rate == pytest.approx(100)
    clock.now += 4 * DAY
    play(slos, None)
    told.clear()
    for _ in range(30):
        play(slos, failure())
    assert len(told) == 8


def test_a_good_event_that_completes_min_events_starts_a_burn(slos, clock):
    burns = []
    slos.start([UP], on_burn=burns.append)
    for _ in range(10):
        play(slos, failure())
    for _ in range(9):
        play(slos, None)
    assert burns == []
    play(slos, None)
    assert [burn.pair.factor for burn in burns] == [14.4, 6, 3, 1]


def test_a_burn_that_starts_because_good_events_leave_the_window_is_noticed(slos, clock):
    burns = []
    slos.start([UP], on_burn=burns.append)
    for _ in range(2000):
        play(slos, None)
    clock.now += HOUR - 60
    for _ in range(40):
        play(slos, failure())
    assert 14.4 not in [burn.pair.factor for burn in burns]
    clock.now += 120
    play(slos, None)
    assert 14.4 in [burn.pair.factor for burn in burns]


def test_good_events_of_a_healthy_target_are_judged_once_per_bucket(slos, clock, monkeypatch):
    judged = []
    monkeypatch.setattr(slo_history, "burning", lambda *arguments: judged.append(arguments) or False)
    slos.start([UP])
    for _ in range(1000):
        play(slos, None)
    assert len(judged) == len(PAIRS)


def test_a_steady_fault_near_a_factor_is_one_burn(slos, clock):
    burns = []
    slos.start([UP], on_burn=burns.append)
    number = 0
    for _ in range(6 * 8):  # in turns of half an hour slightly above and slightly below the factor 14.4
        for bad_in_100 in (16, 13):
            for _ in range(90):
                number += 1
                play(slos, failure() if (number * bad_in_100) % 100 < bad_in_100 else None)
                clock.now += 20
    assert [burn.pair.factor for burn in burns].count(14.4) == 1
    assert len(burns) == 4


def test_a_burn_goes_on_while_its_long_window_is_above_the_factor(slos, clock):
    burns = []
    slos.start([UP], on_burn=burns.append)
    for _ in range(3):
        for _ in range(30):
            play(slos, failure())
        clock.now += 20 * 60  # the short window is empty, the long one is not
    assert [burn.pair.factor for burn in burns].count(14.4) == 1


def test_rare_events_that_all_fail_are_one_burn(slos, clock):
    burns = []
    slos.start([replace(UP, min_events=2)], on_burn=burns.append)
    for _ in range(50):
        play(slos, failure())
        clock.now += 10 * 60
    assert [burn.pair.factor for burn in burns].count(14.4) == 1


def test_a_burn_after_a_silence_is_a_new_one(slos, clock):
    burns = []
    slos.start([UP], on_burn=burns.append)
    for _ in range(2):
        for _ in range(30):
            play(slos, failure())
        clock.now += 5 * HOUR
    assert [burn.pair.factor for burn in burns].count(14.4) == 2


def test_a_callback_that_fails_disturbs_nothing(slos, caplog):
    def broken(_burn: object) -> None:
        raise NameError("name 'mine' is not defined")

    slos.start(on_burn=broken)
    for _ in range(20):
        play(slos, failure())
    assert counts(slos)["availability"] == (20, 20)
    assert "on_burn failed: NameError: name 'mine' is not defined at " in caplog.text


def test_a_callback_that_fails_is_called_again_with_the_next_event(slos):
    burns = []

    def fails_once(burn: Burn) -> None:
        burns.append(burn)
        if len(burns) == 1:
            raise OSError("the pager is away")

    slos.start([UP], on_burn=fails_once)
    for _ in range(20):
        play(slos, failure())
    assert len(burns) == 5  # the four pairs, and again the first with the next event: the end of the call
    assert burns[4] == burns[0]
    play(slos, None)
    assert len(burns) == 5


def test_a_callback_that_always_fails_is_called_a_bounded_number_of_times(slos, clock, caplog):
    burns = []

    def broken(burn: Burn) -> None:
        burns.append(burn)
        raise OSError("the pager is away")

    slos.start([UP], on_burn=broken)
    for _ in range(20):
        play(slos, failure())
    for _ in range(100):
        clock.now += 10
        play(slos, failure())
    assert [burns.count(burn) for burn in dict.fromkeys(burns)] == [1 + len(RETRY_AFTER_S)] * 4
    assert caplog.text.count("It is not called again for this burn.") == 4


def test_objectives_hold_for_those_they_name(slos):
    slos.start([Objective(name="mini", indicator=Indicator.AVAILABILITY, target=0.9, model="*-mini")])
    play(slos, None)
    play(slos, None, of=make_call(model="gpt-4o-mini"))
    assert counts(slos) == {"masked": (0, 1)}
    assert counts(slos, ("openai", "gpt-4o-mini")) == {"mini": (0, 1), "masked": (0, 1)}


def test_an_objective_that_matches_no_call_is_reported(slos):
    up = Objective(name="up", indicator=Indicator.AVAILABILITY, target=0.9)
    slos.start([up, Objective(name="typo", indicator=Indicator.AVAILABILITY, target=0.9, provider="opena1")])
    play(slos, None)
    assert [objective.name for objective in slos.report().unmatched] == ["typo"]
    assert "typo: no calls match provider 'opena1' and model '*'" in str(slos.report())


def test_two_objectives_of_one_name_are_refused(slos):
    with pytest.raises(PolicyError, match="each name once"):
        slos.start([DEFAULTS[0], DEFAULTS[0]])


def test_models_are_bounded(slos):
    for number in range(MAX_TARGETS + 10):
        play(slos, None, of=make_call(model=f"m{number}"))
    assert len(slos._targets) == MAX_TARGETS


def test_memory_of_a_target_does_not_grow_with_its_calls(slos, clock):
    play(slos, failure(), None)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for _ in range(300):
        play(slos, failure(), None)
        clock.now += 4000
    collected()
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert grown < 50_000


def test_threads_lose_nothing(slos):
    def work() -> None:
        for _ in range(50):
            play(slos, failure(), None)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counts(slos)["availability"] == (400, 800)
    assert counts(slos)["masked"] == (400, 400)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform does not fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_forked_child_starts_over_even_if_a_lock_was_held(slos):
    play(slos, None)
    with held_elsewhere(slos._targets[TARGET].lock):
        child = os.fork()
        if child == 0:
            fresh = counts(slos) == {}
            play(slos, failure())
            os._exit(0 if fresh and counts(slos)["availability"] == (1, 1) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert counts(slos)["availability"] == (0, 1)


def test_breakers_get_rates_only_from_started_objectives(slos):
    assert slos.failure_rate(TARGET) is None
    slos.start()
    assert slos.wanted
    slos.stop()
    assert not slos.wanted
    assert slos.failure_rate(TARGET) is None


def test_what_a_breaker_relies_on_is_watched_further(slos):
    slos.start()
    assert slos.failure_rate(TARGET) is not None
    slos.stop()
    assert slos.wanted


def test_the_windows_open_a_breaker(slos, clock):
    slos.start()
    breaker = Breaker(clock, rate=slos.failure_rate(TARGET))
    for number in range(30):
        play(slos, failure(), failure(Cause.BAD_REQUEST))
        admission = breaker.admit()
        assert admission is not None, number
        clock.now += 0.1
        if number < 29:
            admission.release()
    assert slos.attempt_counts(TARGET, 60) == (30, 30)
    admission.fail()
    assert breaker.state is BreakerState.OPEN
    clock.now += 700
    assert slos.attempt_counts(TARGET, 600) == (0, 0)


STEPS = st.one_of(st.floats(0, 60), st.floats(0, 8 * HOUR), st.floats(0, 4 * DAY))


@given(st.lists(st.tuples(STEPS, st.booleans()), min_size=1, max_size=60))
@settings(max_examples=100)
def test_budget_and_burn_rates_match_exact_counts(steps):
    clock = Clock(START)
    slos = SloTracker(clock)
    slos.start([Objective(name="up", indicator=Indicator.AVAILABILITY, target=0.9, min_events=1)])
    events = []
    for step, failed in steps:
        clock.now += step
        slos.record_attempt(
            TARGET, AttemptRecord(streaming=False, failure=failure() if failed else None, opened=True, waited=1.0)
        )
        events.append((clock.now, failed))
    (standing,) = slos.report().statuses

    def burned(seconds: int) -> float | None:
        width = next(width for width, span in RINGS if seconds <= span)
        since = ceil((clock.now - seconds) / width) * width
        counted = [failed for at, failed in events if at >= since]
        return sum(counted) / len(counted) / 0.1 if counted else None

    assert standing.budget_left == pytest.approx(1 - burned(30 * DAY))
    assert {seconds: standing.burn(seconds) for seconds in WINDOWS} == {
        seconds: pytest.approx(burned(seconds)) for seconds in WINDOWS
    }
