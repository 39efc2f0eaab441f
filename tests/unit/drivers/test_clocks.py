"""The four clocks, in virtual time: they run while the engine reads, and only the whole call's runs on."""

from math import inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from l0.drivers.clocks import Clocks
from l0.values.failures import Cause
from l0.values.policy import Timeout

NONE = {"initial_token": None, "inter_token": None}


def test_without_limits_there_is_no_deadline():
    clocks = Clocks(Timeout(**NONE), 100.0)
    clocks.opened(100.0, 101.0)
    assert clocks.reading(102.0) == inf


def test_the_first_content_is_counted_from_the_request():
    clocks = Clocks(Timeout(initial_token=5000, inter_token=None), 100.0)
    clocks.opened(101.0, 103.0)  # the headers took two of the five seconds
    assert clocks.reading(103.0) == pytest.approx(106.0)
    assert clocks.expired(106.0) is Cause.FIRST_CONTENT_TIMEOUT


def test_reads_without_content_use_up_the_same_time():
    clocks = Clocks(Timeout(initial_token=5000, inter_token=None), 0.0)
    clocks.opened(0.0, 1.0)
    assert clocks.reading(1.0) == pytest.approx(5.0)
    clocks.read(3.0, content=False)
    assert clocks.reading(3.0) == pytest.approx(5.0)


def test_a_slow_consumer_is_no_stall():
    clocks = Clocks(Timeout(initial_token=1000, inter_token=1000), 0.0)
    clocks.opened(0.0, 0.1)
    clocks.reading(0.1)
    clocks.read(0.2, content=True)
    assert clocks.reading(500.0) == pytest.approx(501.0)  # the consumer took 500 s over one chunk
    assert clocks.expired(501.0) is Cause.STALLED


def test_content_starts_the_gap_anew_and_pings_do_not():
    clocks = Clocks(Timeout(initial_token=None, inter_token=2000), 0.0)
    clocks.opened(0.0, 0.0)
    clocks.reading(0.0)
    clocks.read(1.0, content=True)
    clocks.reading(1.0)
    clocks.read(2.5, content=False)
    assert clocks.reading(2.5) == pytest.approx(3.0)
    clocks.read(2.9, content=True)
    assert clocks.reading(2.9) == pytest.approx(4.9)


def test_any_bytes_are_a_sign_of_life():
    clocks = Clocks(Timeout(**NONE, liveness=3000), 0.0)
    clocks.opened(0.0, 0.0)
    assert clocks.reading(0.0) == pytest.approx(3.0)
    clocks.read(2.9, content=False)
    assert clocks.reading(2.9) == pytest.approx(5.9)
    assert clocks.expired(5.9) is Cause.DEAD


def test_the_whole_calls_clock_runs_through_attempts_and_pauses():
    clocks = Clocks(Timeout(**NONE, total=10_000), 100.0)
    clocks.opened(100.0, 101.0)
    assert clocks.reading(101.0) == 110.0
    clocks.read(102.0, content=True)
    clocks.opened(107.0, 108.0)
    assert clocks.reading(109.0) == 110.0
    assert clocks.expired(110.0) is Cause.TOTAL_TIMEOUT


def test_an_attempt_starts_anew():
    clocks = Clocks(Timeout(initial_token=5000, inter_token=1000), 0.0)
    clocks.opened(0.0, 0.5)
    clocks.reading(0.5)
    clocks.read(0.6, content=True)
    clocks.opened(10.0, 11.0)
    assert clocks.reading(11.0) == pytest.approx(15.0)
    assert clocks.expired(15.0) is Cause.FIRST_CONTENT_TIMEOUT


@pytest.mark.parametrize(
    ("timeout", "cause"),
    [
        (Timeout(initial_token=1000, inter_token=None, liveness=2000, total=3000), Cause.FIRST_CONTENT_TIMEOUT),
        (Timeout(initial_token=3000, inter_token=None, liveness=1000, total=4000), Cause.DEAD),
        (Timeout(initial_token=3000, inter_token=None, liveness=2000, total=1000), Cause.TOTAL_TIMEOUT),
        (Timeout(initial_token=1000, inter_token=None, liveness=1000), Cause.FIRST_CONTENT_TIMEOUT),
    ],
)
def test_the_earliest_deadline_names_the_cause(timeout, cause):
    clocks = Clocks(timeout, 0.0)
    clocks.opened(0.0, 0.0)
    deadline = clocks.reading(0.0)
    assert deadline == pytest.approx(1.0)
    assert clocks.expired(deadline + 0.001) is cause


reads = st.tuples(st.floats(0, 0.4), st.booleans(), st.floats(0, 50))
"""How long a read takes, whether it brings content, and how long the consumer then is away."""


@given(st.lists(reads, max_size=30), st.sampled_from([1000, 2500]), st.sampled_from([500, 1500]))
@settings(max_examples=100)
def test_progress_counts_reading_time_since_the_last_content(steps, first, gap):
    clocks = Clocks(Timeout(initial_token=first, inter_token=gap), 0.0)
    clocks.opened(0.0, 0.0)
    now, spent, limit = 0.0, 0.0, first / 1000
    for took, content, away in steps:
        assert clocks.reading(now) == pytest.approx(now + limit - spent)
        now += took
        clocks.read(now, content)
        spent, limit = (0.0, gap / 1000) if content else (spent + took, limit)
        now += away
