"""The sliding window of outcomes, against the plain definition."""

from hypothesis import given, settings
from hypothesis import strategies as st
from makers import Clock

from l0.shared_state.failure_rate import SlidingWindow


def test_outcomes_count_for_as_long_as_they_are_asked_for():
    clock = Clock()
    window = SlidingWindow(clock)
    for _ in range(3):
        window.record(failed=True)
        window.record(failed=False)
        clock.now += 30
    assert window.counts(600) == (3, 6)
    assert window.counts(60) == (2, 4)
    assert window.counts(30) == (1, 2)
    assert window.counts(29) == (0, 0)


def test_nothing_is_older_than_the_horizon():
    clock = Clock()
    window = SlidingWindow(clock)
    window.record(failed=True)
    clock.now += 601
    assert window.counts(3600) == (0, 0)


def test_memory_is_bounded_by_seconds_and_not_by_calls():
    clock = Clock()
    window = SlidingWindow(clock)
    for _ in range(2000):
        window.record(failed=False)
        window.record(failed=True)
        clock.now += 1
    assert len(window._seconds) == 600
    assert window.counts(600) == (600, 1200)


def test_empty_failure_window_has_no_calls():
    assert SlidingWindow(Clock()).counts(60) == (0, 0)


@given(
    st.lists(st.tuples(st.floats(0, 100), st.booleans()), max_size=80),
    st.floats(0, 700),
)
@settings(max_examples=150)
def test_failure_rate_counts_the_whole_seconds_of_its_span(steps, seconds):
    clock = Clock()
    window = SlidingWindow(clock)
    ended = []
    for step, failed in steps:
        clock.now += step
        window.record(failed=failed)
        ended.append((int(clock.now), failed))
    since = clock.now - min(seconds, 600)
    counted = [failed for second, failed in ended if second >= since]
    assert window.counts(seconds) == (sum(counted), len(counted))
