"""The four deadlines, in virtual time: they run while the engine reads, and only the whole call's runs on."""

from math import inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from l0.model.failure import Cause
from l0.model.policy import Timeout
from l0.runtime.deadlines import CallDeadlines
from l0.runtime.recorded_silence import RecordedSilence

NONE = {"initial_token": None, "inter_token": None}


def test_without_limits_there_is_no_deadline():
    deadlines = CallDeadlines(Timeout(**NONE), 100.0)
    deadlines.opened(100.0, 101.0)
    assert deadlines.reading(102.0) == inf


def test_the_first_content_is_counted_from_the_request():
    deadlines = CallDeadlines(Timeout(initial_token=5000, inter_token=None), 100.0)
    deadlines.opened(101.0, 103.0)  # the headers took two of the five seconds
    assert deadlines.reading(103.0) == pytest.approx(106.0)
    assert deadlines.expired(106.0) is Cause.FIRST_CONTENT_TIMEOUT


def test_reads_without_content_use_up_the_same_time():
    deadlines = CallDeadlines(Timeout(initial_token=5000, inter_token=None), 0.0)
    deadlines.opened(0.0, 1.0)
    assert deadlines.reading(1.0) == pytest.approx(5.0)
    deadlines.read(3.0, content=False)
    assert deadlines.reading(3.0) == pytest.approx(5.0)


def test_a_slow_consumer_is_no_stall():
    deadlines = CallDeadlines(Timeout(initial_token=1000, inter_token=1000), 0.0)
    deadlines.opened(0.0, 0.1)
    deadlines.reading(0.1)
    deadlines.read(0.2, content=True)
    assert deadlines.reading(500.0) == pytest.approx(501.0)  # the consumer took 500 s over one chunk
    assert deadlines.expired(501.0) is Cause.STALLED


def test_content_starts_the_gap_anew_and_pings_do_not():
    deadlines = CallDeadlines(Timeout(initial_token=None, inter_token=2000), 0.0)
    deadlines.opened(0.0, 0.0)
    deadlines.reading(0.0)
    deadlines.read(1.0, content=True)
    deadlines.reading(1.0)
    deadlines.read(2.5, content=False)
    assert deadlines.reading(2.5) == pytest.approx(3.0)
    deadlines.read(2.9, content=True)
    assert deadlines.reading(2.9) == pytest.approx(4.9)


def test_any_bytes_are_a_sign_of_life():
    deadlines = CallDeadlines(Timeout(**NONE, liveness=3000), 0.0)
    deadlines.opened(0.0, 0.0)
    assert deadlines.reading(0.0) == pytest.approx(3.0)
    deadlines.read(2.9, content=False)
    assert deadlines.reading(2.9) == pytest.approx(5.9)
    assert deadlines.expired(5.9) is Cause.DEAD


def test_the_whole_calls_clock_runs_through_attempts_and_pauses():
    deadlines = CallDeadlines(Timeout(**NONE, total=10_000), 100.0)
    deadlines.opened(100.0, 101.0)
    assert deadlines.reading(101.0) == 110.0
    deadlines.read(102.0, content=True)
    deadlines.opened(107.0, 108.0)
    assert deadlines.reading(109.0) == 110.0
    assert deadlines.expired(110.0) is Cause.TOTAL_TIMEOUT


def test_an_attempt_starts_anew():
    deadlines = CallDeadlines(Timeout(initial_token=5000, inter_token=1000), 0.0)
    deadlines.opened(0.0, 0.5)
    deadlines.reading(0.5)
    deadlines.read(0.6, content=True)
    deadlines.opened(10.0, 11.0)
    assert deadlines.reading(11.0) == pytest.approx(15.0)
    assert deadlines.expired(15.0) is Cause.FIRST_CONTENT_TIMEOUT


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
    deadlines = CallDeadlines(timeout, 0.0)
    deadlines.opened(0.0, 0.0)
    deadline = deadlines.reading(0.0)
    assert deadline == pytest.approx(1.0)
    assert deadlines.expired(deadline + 0.001) is cause


reads = st.tuples(st.floats(0, 0.4), st.booleans(), st.floats(0, 50))
"""The duration of a read, whether it brings content, and the time until the consumer reads again."""


@given(st.lists(reads, max_size=30), st.sampled_from([1000, 2500]), st.sampled_from([500, 1500]))
@settings(max_examples=100)
def test_progress_counts_reading_time_since_the_last_content(steps, first, gap):
    deadlines = CallDeadlines(Timeout(initial_token=first, inter_token=gap), 0.0)
    deadlines.opened(0.0, 0.0)
    now, spent, limit = 0.0, 0.0, first / 1000
    for on_read, content, away in steps:
        assert deadlines.reading(now) == pytest.approx(now + limit - spent)
        now += on_read
        deadlines.read(now, content)
        crossed = spent < limit < spent + on_read  # data that arrived behind what was read gets a moment more
        spent, limit = (0.0, gap / 1000) if content else (limit if crossed else spent + on_read, limit)
        now += away


def test_a_flood_without_content_ends_though_no_read_ever_waits():
    deadlines = CallDeadlines(Timeout(initial_token=1000, inter_token=None), 0.0)
    deadlines.opened(0.0, 0.25)
    late, now = False, 0.25
    while not late and now < 10.0:
        now += 0.001
        late = deadlines.read(now, content=False, since=now - 0.001)
    assert 1.0 < now < 1.2
    assert deadlines.failure(now).message == "no first content within 1,000 ms (Timeout.initial_token)"


def test_content_behind_the_frames_that_piled_up_is_in_time():
    deadlines = CallDeadlines(Timeout(initial_token=1000, inter_token=1000), 0.0)
    deadlines.opened(0.0, 0.1)
    assert not deadlines.read(5.0, content=False, since=0.1)  # the process was stopped for five seconds
    assert not deadlines.read(5.01, content=False, since=5.0)
    assert not deadlines.read(5.02, content=True, since=5.01)
    assert deadlines.reading(5.02) == pytest.approx(6.02)


def test_time_of_the_consumer_between_reads_that_never_wait_is_nobodys():
    deadlines = CallDeadlines(Timeout(initial_token=1000, inter_token=1000), 0.0)
    deadlines.opened(0.0, 0.0)
    deadlines.read(0.1, content=True, since=0.0)
    for at in range(10, 1000, 10):  # ten seconds of thought over each frame
        assert not deadlines.read(at + 0.001, content=False, since=at)


def test_the_whole_calls_clock_ends_reads_that_bring_content_without_waiting():
    deadlines = CallDeadlines(Timeout(**NONE, total=2000), 10.0)
    deadlines.opened(10.0, 10.0)
    assert not deadlines.read(11.9, content=True, since=11.8)
    assert deadlines.read(12.1, content=True, since=12.0)
    assert deadlines.failure(12.1).message == "no whole answer within 2,000 ms (Timeout.total)"


def test_a_request_that_is_sent_has_the_tighter_of_both_deadlines():
    deadlines = CallDeadlines(Timeout(initial_token=1500, inter_token=None, total=2000), 100.0)
    assert deadlines.sending(100.0) == pytest.approx(101.5)
    assert deadlines.failure(101.5).message == "no headers within 1,500 ms (Timeout.initial_token)"
    assert deadlines.sending(101.0) == pytest.approx(102.0)
    assert deadlines.expired(102.0) is Cause.TOTAL_TIMEOUT
    assert deadlines.sending(100.0, first=False) == pytest.approx(102.0)
    assert deadlines.sending(100.0, lambda limit: 0.2) == pytest.approx(100.2)
    assert deadlines.failure(100.2).message == "no headers within 200 ms (what is usual here, Policy.adaptive)"
    assert [deadlines.failure(at).policy_field for at in (100.2, 102.0)] == ["Policy.adaptive", "Timeout.total"]


def test_late_timeout_reports_its_delay():
    deadlines = CallDeadlines(Timeout(**NONE, total=2000), 0.0)
    deadlines.sending(0.0)
    assert deadlines.failure(7.25).message.endswith("(Timeout.total); noticed 5.2 s later")


def silence(waited_s: float, *silences_s: float) -> RecordedSilence:
    made = RecordedSilence()
    made.waited_s, made.silences_s = waited_s, silences_s
    return made


@pytest.mark.parametrize(
    ("timeout", "has_content", "cause"),
    [
        (Timeout(initial_token=5000, inter_token=None), False, Cause.FIRST_CONTENT_TIMEOUT),
        (Timeout(initial_token=None, inter_token=2000), True, Cause.STALLED),
        (Timeout(**NONE, liveness=2000), True, Cause.DEAD),
        (Timeout(initial_token=None, inter_token=4000, total=5000), True, Cause.TOTAL_TIMEOUT),
    ],
)
def test_a_recorded_silence_passes_at_once(timeout: Timeout, has_content: bool, cause: Cause):
    deadlines = CallDeadlines(timeout, 0.0)
    deadlines.opened(0.0, 0.1)
    deadlines.reading(0.1)
    deadlines.read(0.1, content=has_content)
    assert deadlines.skip(0.1, silence(5.0, 2.0))
    assert deadlines.began == pytest.approx(-4.9)
    assert deadlines.failure(0.1).cause is cause


def test_a_request_without_an_answer_is_late_after_a_recorded_silence():
    deadlines = CallDeadlines(Timeout(initial_token=5000, inter_token=None), 0.0)
    deadlines.sending(0.0)
    assert deadlines.skip(0.1, silence(5.0, 5.0))
    assert deadlines.failure(0.1).cause is Cause.NO_HEADERS


def test_silences_of_all_attempts_use_up_the_time_of_the_call():
    deadlines = CallDeadlines(Timeout(initial_token=3000, inter_token=None, total=5000), 0.0)
    deadlines.sending(0.0)
    deadlines.skip(0.0, silence(3.0, 3.0))
    assert deadlines.failure(0.0).cause is Cause.NO_HEADERS
    deadlines.sending(0.0)
    deadlines.skip(0.0, silence(2.0, 2.0))
    assert deadlines.failure(0.0).message == "no whole answer within 5,000 ms (Timeout.total)"


@pytest.mark.parametrize("timeout", [Timeout(**NONE | {"inter_token": 2000}), Timeout(**NONE, liveness=2000)])
def test_a_limit_of_reads_ends_no_shorter_silence(timeout: Timeout):
    deadlines = CallDeadlines(timeout, 0.0)
    deadlines.opened(0.0, 0.1)
    deadlines.reading(0.1)
    deadlines.read(0.1, content=True)
    assert not deadlines.skip(0.1, silence(5.0, 1.9))
    assert deadlines.skip(0.1, silence(5.0, 1.99)), "a timer may be early"


def test_a_recorded_silence_counts_from_the_last_content():
    deadlines = CallDeadlines(Timeout(**NONE | {"inter_token": 2000}), 0.0)
    deadlines.opened(0.0, 0.1)
    for content in (True, False, False):
        deadlines.reading(0.1)
        deadlines.read(0.1, content)
    assert not deadlines.skip(0.1, silence(5.0, 0.5, 1.0, 1.5, 2.5))
    assert deadlines.skip(0.1, silence(5.0, 0.5, 1.0, 2.0, 2.5))
    assert deadlines.failure(0.1).cause is Cause.STALLED


def test_a_limit_of_the_call_may_exceed_a_silence_by_the_start_of_its_recording():
    deadlines = CallDeadlines(Timeout(initial_token=None, inter_token=2300, total=5400), 0.0)
    deadlines.opened(0.0, 0.1)
    deadlines.reading(0.1)
    deadlines.read(0.1, content=True)
    assert deadlines.skip(0.1, silence(5.0, 2.0))
    assert deadlines.failure(0.1).cause is Cause.TOTAL_TIMEOUT


def test_a_recorded_silence_shorter_than_every_limit_changes_nothing():
    deadlines = CallDeadlines(Timeout(initial_token=60_000, inter_token=None), 0.0)
    deadlines.sending(0.0)
    assert not deadlines.skip(0.0, silence(3.0, 3.0))
    assert deadlines.skip(0.0, silence(59.8, 59.8))  # measured a little later
    assert deadlines.began == pytest.approx(-60.0)
