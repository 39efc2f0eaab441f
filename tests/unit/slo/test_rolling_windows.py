"""Windows in rings, compared with a simple implementation that keeps and counts every event."""

from __future__ import annotations

from math import ceil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from l0.slo.burn import DAY, HOUR, MINUTE, WINDOWS, Count
from l0.slo.rolling_windows import RINGS, Bucket, Windows

START = 1_700_000_003.5
STEPS = st.one_of(st.floats(0, 30), st.floats(0, 2 * HOUR), st.floats(0, 40 * DAY))
EVENTS = st.lists(st.tuples(STEPS, st.booleans()), max_size=60)
LENGTHS = (*WINDOWS, 30 * DAY, MINUTE, 10 * MINUTE)


def width(seconds: float) -> int:
    return next(width for width, span in RINGS if seconds <= span)


def reference(events: list[tuple[float, bool]], seconds: float, at: float) -> Count:
    """Count events from the first bucket that begins within the window."""
    since = ceil((at - seconds) / width(seconds)) * width(seconds)
    counted = [good for time, good in events if time >= since]
    return Count(counted.count(False), len(counted))


def played(steps: list[tuple[float, bool]], windows: Windows, at: float) -> tuple[list[tuple[float, bool]], float]:
    events = []
    for step, good in steps:
        at += step
        windows.add(at, good=good)
        events.append((at, good))
    return events, at


@given(EVENTS, st.floats(0, 40 * DAY))
@settings(max_examples=300)
def test_window_counts_equal_the_simple_count(steps, later):
    windows = Windows(START)
    events, at = played(steps, windows, START)
    for now in (at, at + later):
        for seconds in LENGTHS:
            assert windows.over(seconds, now) == reference(events, seconds, now), seconds
    assert windows.count == Count(sum(not good for _, good in events), len(events))


@given(EVENTS, EVENTS, EVENTS, st.floats(0, 3 * DAY))
@settings(max_examples=150)
def test_restored_windows_equal_uninterrupted_windows(first, second, third, pause):
    windows = Windows(START)
    before, at = played(first, windows, START)
    saved: dict[tuple[int, int], Count] = {}

    def save() -> None:
        for bucket in windows.unsaved():
            key = bucket.width, bucket.start
            saved[key] = saved.get(key, Count()) + bucket.count

    save()
    more, at = played(second, windows, at)
    save()
    assert windows.unsaved() == []
    at += pause
    again = Windows(at)
    again.put_back([Bucket(*key, count) for key, count in saved.items()], at)
    after, at = played(third, again, at)
    for seconds in LENGTHS:
        assert again.over(seconds, at) == reference(before + more + after, seconds, at), seconds
    assert again.count.total == len(after)


def test_window_clock_that_goes_back_is_treated_as_stopped():
    windows = Windows(START)
    windows.add(START + 100, good=False)
    windows.add(START + 50, good=True)
    assert windows.over(5 * MINUTE, START + 60) == Count(1, 2)
    assert windows.over(5 * MINUTE, START + 500) == Count()


def test_window_memory_is_bounded():
    windows = Windows(START)
    slots = [len(ring._total) for ring in windows._rings]
    for number in range(5000):
        windows.add(START + number * 977, good=True)
    assert [len(ring._total) for ring in windows._rings] == slots
    assert sum(slots) < 700


@pytest.mark.parametrize("seconds", [31 * DAY, 365 * DAY])
def test_window_drops_events_older_than_thirty_days(seconds):
    windows = Windows(START)
    windows.add(START, good=False)
    assert windows.over(seconds, START + 29 * DAY) == Count(1, 1)
    assert windows.over(seconds, START + 31 * DAY) == Count()
