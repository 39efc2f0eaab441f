"""The deadline that ends an attempt first is the one at which a clock for every read would end it."""

from itertools import pairwise
from math import inf

import pytest
from backtest_kit import answer, broken
from hypothesis import given
from hypothesis import strategies as st

from l0.backtest.attempt_timeline import AttemptTimeline, Limits, longest_so_far
from l0.model.failure import Cause
from l0.model.policy import Hold, Timeout
from l0.runtime.deadlines import CallDeadlines

TICK = 0.25
"""A power of two: sums of times are exact."""
ticks = st.integers(1, 12).map(lambda count: count * TICK)
limits = st.one_of(st.none(), st.integers(1, 20).map(lambda count: count * 125.0))


def end_by_reads(reads: list[tuple[float, bool]], opened_at: float, timeout: Timeout) -> tuple[float, Cause] | None:
    """Return the deadline that the runtime's own clock finds, read by read."""
    deadlines = CallDeadlines(timeout, 0.0)
    due = deadlines.sending(0.0)
    if opened_at > due:
        return due, deadlines.expired(due)
    deadlines.opened(0.0, opened_at)
    for (since, _), (at, content) in pairwise([(opened_at, False), *reads]):
        due = deadlines.reading(since)
        if at > due:
            return due, deadlines.expired(due)
        deadlines.read(at, content, since)
    return None


@given(st.lists(st.tuples(ticks, st.booleans()), min_size=1, max_size=12), limits, limits, limits, limits)
def test_expiry_is_that_of_the_runtime(
    steps: list[tuple[float, bool]], first: float | None, gap: float | None, live: float | None, total: float | None
) -> None:
    opened_at = 0.0625  # off the ticks: no two limits end at the same time
    reads, at = [], opened_at
    for number, (wait, content) in enumerate(steps):
        at += wait + number / 1024
        reads.append((at, content))
    content_at = [read for read, content in reads if content]
    timeline = AttemptTimeline(
        opened_at=opened_at,
        content=content_at,
        chars=[1] * len(content_at),
        gaps=longest_so_far([*content_at, at]),
        read_gaps=longest_so_far([opened_at, *(read for read, _ in reads), at]),
        ends_at=at,
    )
    timeout = Timeout(initial_token=first, inter_token=gap, liveness=live, total=total)
    found = timeline.expiry(Limits(*(inf if limit is None else limit / 1000 for limit in (first, gap, live, total))))
    wanted = end_by_reads(reads, opened_at, timeout)
    assert (None if found is None else found.at) == (None if wanted is None else pytest.approx(wanted[0]))
    if found is not None and wanted is not None:
        assert found.cause is wanted[1]


def test_late_headers_are_another_cause_than_late_content() -> None:
    limit = Limits(first=1.0)
    late_head, late_content = answer(3.0, opened_at=2.0).expiry(limit), answer(3.0).expiry(limit)
    assert late_head is not None
    assert late_head.cause is Cause.NO_HEADERS
    assert late_content is not None
    assert late_content.cause is Cause.FIRST_CONTENT_TIMEOUT


@pytest.mark.parametrize(
    ("hold", "window", "at"),
    [
        (Hold(), 256, 1.0),
        (Hold(frames=3), 256, 0.4),
        (Hold(seconds=0.2), 256, 0.4),
        (Hold(until="message"), 256, inf),
        (Hold(until="verified"), 15, 3.0),
        (Hold(until="verified"), 256, inf),
    ],
)
def test_first_delivery_depends_on_the_hold(hold: Hold, window: int, at: float) -> None:
    timeline = answer(1.0, 2.0, 3.0, early=[(0.2, 1), (0.4, 3)])
    assert timeline.released_at(hold, window) == at


def test_tokens_of_a_cut_answer_are_the_pieces_that_came() -> None:
    timeline = answer(1.0, 2.0, 3.0, tokens=(7, 40))
    assert [timeline.tokens_until(at) for at in (0.05, 0.5, 2.5, 4.0)] == [0, 7, 9, 47]
    assert broken(1.0, 2.0, ends_at=2.5).tokens_until(2.5) == 2
