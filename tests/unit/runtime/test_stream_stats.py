"""The meter against figures computed the slow way, from all gaps at once."""

from math import ceil
from statistics import mean, pstdev

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from l0.runtime.stream_stats import STALL_S, TIMELINE_BUCKETS, StreamStatsRecorder, TimelineRecorder

BUCKET = 1.1
"""Buckets are ten per cent wide, from a tenth of a millisecond up."""

gaps_of = st.lists(st.floats(0.0, 900.0) | st.floats(0.0, 0.01), min_size=1, max_size=200)


def metered(gaps: list[float]) -> StreamStatsRecorder:
    stats = StreamStatsRecorder(0.0)
    stats.opened(0.0)
    now = 1.0
    stats.read(now, 1.0, True, b"..")
    for gap in gaps:
        now += gap
        stats.read(now, gap, True, b"..")
    return stats


def quantile(gaps: list[float], share: float) -> float:
    """The smallest gap that at least this share of the gaps does not exceed."""
    return sorted(gaps)[max(ceil(share * len(gaps)) - 1, 0)]


@given(gaps_of)
@settings(max_examples=150)
def test_quantiles_are_right_to_within_a_bucket(gaps):
    result = metered(gaps).result(10_000.0)
    for share, told in ((0.50, result.gap_p50), (0.95, result.gap_p95), (0.99, result.gap_p99)):
        true = quantile(gaps, share)
        assert true <= told * (1 + 1e-9)
        assert told <= max(true * BUCKET * (1 + 1e-9), 0.0001)
    assert result.gap_p50 <= result.gap_p95 <= result.gap_p99 <= result.gap_max == max(gaps)


@given(gaps_of)
@settings(max_examples=150)
def test_gap_histogram_is_accurate_to_a_bucket(gaps):
    told = [size for size, count in metered(gaps).result(10_000.0).gaps for _ in range(count)]
    assert len(told) == len(gaps)
    for size, true in zip(told, sorted(gaps), strict=True):
        assert true <= size * (1 + 1e-9)
        assert size <= max(true * BUCKET * (1 + 1e-9), 0.0001)


@given(gaps_of)
@settings(max_examples=150)
def test_the_spread_is_that_of_all_gaps(gaps):
    result = metered(gaps).result(10_000.0)
    deviation, average = pstdev(gaps), mean(gaps)
    assert result.jitter == pytest.approx(deviation, rel=1e-6, abs=1e-9)
    if average > 1e-6:
        assert result.smoothness == pytest.approx(max(0.0, 100 * (1 - deviation / average)), rel=1e-4, abs=1e-4)


def test_the_first_content_is_no_gap():
    stats = StreamStatsRecorder(100.0)
    stats.opened(101.0)
    stats.read(105.0, 4.0, True, b"..")
    result = stats.result(106.0)
    assert result.first_content == 4.0
    assert (result.gap_max, result.gap_p99, result.jitter, result.smoothness) == (0.0, 0.0, 0.0, 100.0)
    assert result.duration == 6.0


def test_reads_without_content_lengthen_the_gap_they_are_in():
    stats = StreamStatsRecorder(0.0)
    stats.opened(0.0)
    stats.read(1.0, 1.0, True, b"..")
    for second in (2.0, 3.0, 4.0):
        stats.read(second, 1.0, False, b"..")
    stats.read(4.5, 0.5, True, b"..")
    assert stats.result(5.0).gap_max == 3.5


def test_the_consumers_time_is_in_no_gap():
    stats = StreamStatsRecorder(0.0)
    stats.opened(0.0)
    stats.read(1.0, 1.0, True, b"..")
    stats.read(500.0, 0.2, True, b"..")
    assert stats.result(501.0).gap_max == 0.2


def test_a_stall_is_counted_once_however_many_pings_it_holds():
    stats = StreamStatsRecorder(0.0)
    stats.opened(0.0)
    stats.read(1.0, 1.0, True, b"..")
    stats.read(6.0, STALL_S / 2, False, b"..")
    stats.read(11.0, STALL_S / 2, True, b"..")
    stats.read(20.99, STALL_S - 0.01, True, b"..")
    assert stats.result(21.0).stalls == 1


def test_a_stall_that_never_ended_counts():
    stats = StreamStatsRecorder(0.0)
    stats.opened(0.0)
    stats.read(STALL_S, STALL_S, False, b"..")
    assert stats.result(STALL_S).stalls == 1


@pytest.mark.parametrize(("silence", "stalls"), [(5.0, 0), (STALL_S, 1)])
def test_the_silence_before_a_failure_is_a_gap(silence, stalls):
    stats = StreamStatsRecorder(0.0)
    stats.opened(0.0)
    stats.read(1.0, 1.0, True, b"..")
    stats.read(3.0, 1.0, False, b"..")
    stats.read_stopped(3.0 + silence - 1.0, silence - 1.0)
    stats.failed()
    result = stats.result(20.0)
    assert (result.gap_max, result.gap_p50, result.stalls) == (silence, silence, stalls)
    assert result.program_s == pytest.approx(1.0)


def test_the_silence_of_an_attempt_that_failed_before_content_is_no_gap_but_may_be_a_stall():
    stats = StreamStatsRecorder(0.0)
    stats.opened(0.0)
    stats.read_stopped(STALL_S, STALL_S)
    stats.failed()
    result = stats.result(20.0)
    assert (result.gap_max, result.stalls) == (0.0, 1)


def test_the_end_of_an_answer_is_no_gap():
    stats = metered([0.1])
    stats.read_stopped(20.0, 2 * STALL_S)
    result = stats.result(20.0)
    assert (result.gap_max, result.stalls) == (0.1, 0)


def test_stalls_of_the_last_attempt_are_counted_apart():
    stats = metered([0.1, STALL_S])
    stats.opened(30.0)
    stats.read(31.0, 1.0, True, b"..")
    assert stats.result(32.0).stalls_of_last == 0
    stats.read(43.0, 12.0, True, b"..")
    result = stats.result(44.0)
    assert (result.stalls, result.stalls_of_last) == (2, 1)


def test_what_is_delivered_with_a_failure_is_no_first_chunk():
    stats = StreamStatsRecorder(0.0)
    stats.opened(0.0)
    stats.read(1.0, 1.0, True, b"..")
    stats.delivered(2, 3.0, with_failure=True)
    result = stats.result(4.0)
    assert (result.chunks, result.first_chunk, result.last_chunk) == (2, None, None)


def test_a_new_attempt_forgets_the_first_content_and_the_wait():
    stats = StreamStatsRecorder(0.0)
    stats.opened(0.0)
    stats.read(2.0, 2.0, True, b"..")
    stats.read(11.0, 9.0, False, b"..")
    stats.opened(20.0)
    stats.read(21.5, 1.5, True, b"..")
    result = stats.result(22.0)
    assert result.first_content == 1.5
    assert (result.gap_max, result.stalls) == (0.0, 0)


def test_delivery_times_are_counted_from_the_call():
    stats = StreamStatsRecorder(10.0)
    assert stats.result(11.0).first_chunk is None
    stats.delivered(3, 12.0)
    stats.delivered(2, 14.5)
    result = stats.result(15.0)
    assert (result.chunks, result.first_chunk, result.last_chunk) == (5, 2.0, 4.5)


def test_only_bytes_off_the_wire_are_counted():
    stats = StreamStatsRecorder(0.0)
    stats.read(1.0, 1.0, True, b"data: x\n\n")
    stats.read(2.0, 1.0, True, object())  # the SDK's own loop hands over objects
    assert stats.result(3.0).wire_bytes == 9


def test_gaps_beyond_the_last_bucket_count_as_the_longest():
    result = metered([5000.0, 6000.0]).result(20_000.0)
    assert (result.gap_p50, result.gap_p99) == (6000.0, 6000.0)


def test_no_timeline_unless_asked_for():
    assert metered([1.0]).result(3.0).timeline == ()


def test_timeline_counts_content_from_the_start_of_the_call():
    stats = TimelineRecorder(100.0)
    stats.opened(100.0)
    stats.read(100.06, 0.06, 2, b"..")
    stats.opened(100.2)  # the next attempt
    stats.read(100.21, 0.01, 0, b"ping")
    stats.read(100.22, 0.01, 1, b"..")
    stats.read(100.24, 0.02, 3, b"..")
    result = stats.result(101.0)
    assert (result.timeline_bucket, result.timeline) == (0.05, (0, 2, 0, 0, 4))
    assert result.gap_max > 0


@given(st.lists(st.tuples(st.floats(0.0, 5_000.0), st.integers(1, 9)), max_size=60))
def test_timeline_is_short_and_complete(reads):
    stats = TimelineRecorder(0.0)
    for at, content in sorted(reads):
        stats.read(at, 0.0, content, b"..")
    result = stats.result(10_000.0)
    assert len(result.timeline) <= TIMELINE_BUCKETS
    assert sum(result.timeline) == sum(content for _, content in reads)
    for bucket, count in enumerate(result.timeline):
        within = [n for at, n in reads if bucket <= at / result.timeline_bucket < bucket + 1]
        assert count == sum(within)


def test_timeline_of_a_very_long_stream():
    stats = TimelineRecorder(0.0)
    stats.read(0.0, 0.0, 1, b"..")
    stats.read(1e9, 1.0, 1, b"..")
    result = stats.result(1e9)
    assert sum(result.timeline) == 2
    assert len(result.timeline) > TIMELINE_BUCKETS // 2


@given(st.lists(st.tuples(st.floats(0.0, 9.0), st.floats(0.0, 9.0), st.booleans()), max_size=100))
@settings(max_examples=100)
def test_time_between_reads_is_that_of_the_program(reads):
    stats = StreamStatsRecorder(0.0)
    stats.opened(0.0)
    now = 1.0
    stats.read(now, 1.0, True, b"..")
    for pause, seconds, content in reads:
        now += pause + seconds
        stats.read(now, seconds, content, b"..")
    assert stats.result(now + 5.0).program_s == pytest.approx(sum(pause for pause, _, _ in reads), abs=1e-6)


def test_time_between_attempts_is_not_that_of_the_program():
    stats = StreamStatsRecorder(0.0)
    for started in (0.0, 100.0):
        stats.opened(started)
        stats.read(started + 1.0, 1.0, False, b"..")  # 2 s before the first content, as the wait for the headers was
        stats.read(started + 4.0, 1.0, True, b"..")
        stats.read(started + 7.0, 1.0, True, b"..")  # 2 s in the program
    assert stats.result(200.0).program_s == 4.0


def test_gaps_and_stalls_are_those_of_the_leg_that_had_them():
    stats = StreamStatsRecorder(0.0)
    stats.opened(0.0)
    stats.read(1.0, 1.0, True, b"..")
    stats.read(31.0, 30.0, True, b"..")
    stats.failed()
    stats.opened(32.0, leg=1)
    stats.read(33.0, 1.0, True, b"..")
    stats.read(33.5, 0.5, True, b"..")
    result = stats.result(34.0)
    assert (result.stalls, result.gap_max) == (1, 30.0)
    assert [(each.leg, each.stalls, each.gap_max) for each in result.legs] == [(0, 1, 30.0), (1, 0, 0.5)]
    assert [sum(count for _, count in each.gaps) for each in result.legs] == [1, 1]
    assert sum(count for _, count in result.gaps) == 2


def test_retries_at_one_leg_have_no_figures_by_leg():
    stats = StreamStatsRecorder(0.0)
    stats.opened(0.0)
    stats.failed()
    stats.opened(1.0)
    assert stats.result(2.0).legs == ()
