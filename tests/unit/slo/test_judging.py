"""Classification of attempts and calls for each objective."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from makers import make_end, make_stats

from l0.model.call import Outcome
from l0.model.call_events import CallEnded
from l0.model.failure import Cause, Failure
from l0.slo.judging import AttemptRecord, judge_attempt, judge_call, masked
from l0.slo.objective import DEFAULTS, Indicator, Objective

ATTEMPTS = {one.indicator.value.partition(".")[2]: one for one in DEFAULTS if one.layer == "attempts"}
DELIVERED = next(one for one in DEFAULTS if one.layer == "delivered")
FIRST_CHUNK = Objective(name="quick", indicator=Indicator.FIRST_CHUNK, target=0.9, threshold=2.0)


def failure(cause: Cause, typed: bool = False) -> Failure:
    return Failure(cause=cause, message="x", typed=typed)


def attempt(**changes) -> AttemptRecord:
    given = {"streaming": True, "failure": None, "opened": True, "waited": 3.0, "first_content": 1.0}
    if (cause := changes.pop("cause", None)) is not None:
        given |= {"failure": failure(cause), "first_content": None}
    return AttemptRecord(**(given | changes))


def letters(one: AttemptRecord) -> str:
    """Return one letter per stage: g(ood), b(ad), - for not counted."""
    order = ("capacity", "availability", "first_token", "stall", "truncation")
    return "".join({True: "g", False: "b", None: "-"}[judge_attempt(one, ATTEMPTS[name])] for name in order)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "ggggg"),
        ({"first_content": 5.0}, "ggggg"),
        ({"first_content": 5.1}, "ggbgg"),
        ({"stalls": 1}, "gggbg"),
        ({"unended": True}, "ggggb"),
        ({"streaming": False, "first_content": None}, "gg---"),
        ({"cause": Cause.RATE_LIMIT, "opened": False}, "b----"),
        ({"cause": Cause.OVERLOADED}, "b----"),
        ({"cause": Cause.QUOTA, "opened": False}, "b----"),
        ({"cause": Cause.SERVER_ERROR, "opened": False}, "gb---"),
        ({"cause": Cause.CONNECTION, "opened": False}, "gb---"),
        ({"cause": Cause.IN_BAND_ERROR}, "gb---"),
        ({"cause": Cause.UNKNOWN, "opened": False}, "gb---"),
        ({"cause": Cause.FIRST_CONTENT_TIMEOUT}, "ggb--"),
        ({"cause": Cause.STALLED}, "gg-b-"),
        ({"cause": Cause.DEAD}, "gg-b-"),
        ({"cause": Cause.TRUNCATED}, "gg-gb"),
        ({"cause": Cause.RESET}, "gg-gb"),
        ({"cause": Cause.RESET, "opened": False}, "gb---"),
        ({"cause": Cause.EMPTY, "streaming": False}, "gb---"),
        ({"cause": Cause.BAD_REQUEST, "opened": False}, "-----"),
        ({"cause": Cause.AUTHENTICATION, "opened": False}, "-----"),
        ({"cause": Cause.LOCAL}, "-----"),
        ({"cause": Cause.TOTAL_TIMEOUT}, "-----"),
        ({"cause": Cause.BREAKER_OPEN, "opened": False}, "-----"),
        ({"given_up": True}, "gggg-"),
        ({"given_up": True, "first_content": None}, "-----"),
        ({"given_up": True, "first_content": None, "waited": 6.0}, "--b--"),
        ({"given_up": True, "first_content": None, "waited": 6.0, "streaming": False}, "-----"),
    ],
    ids=str,
)
def test_attempt_is_good_for_passed_stages_and_bad_for_the_failed_stage(changes, expected):
    assert letters(attempt(**changes)) == expected


@given(st.sampled_from(Cause), st.booleans(), st.booleans())
def test_failure_counts_against_one_indicator_at_most(cause, streaming, opened):
    found = letters(attempt(cause=cause, streaming=streaming, opened=opened))
    assert found.count("b") <= 1
    assert found.rstrip("-").endswith("b") or found == "-----"


def ended(outcome: Outcome, of: Failure | None = None) -> CallEnded:
    return make_end(outcome=outcome, failure=of, failures=() if of is None else (of,))


@pytest.mark.parametrize(
    ("outcome", "of", "delivered", "saved"),
    [
        (Outcome.OK, None, True, False),
        (Outcome.RECOVERED_RETRY, None, True, True),
        (Outcome.RECOVERED_FALLBACK, None, True, True),
        (Outcome.RECOVERED_RESUME, None, True, True),
        (Outcome.FAILED, failure(Cause.SERVER_ERROR), False, None),
        (Outcome.FAILED, failure(Cause.BREAKER_OPEN), False, None),
        (Outcome.FAILED, failure(Cause.TOTAL_TIMEOUT), False, None),
        (Outcome.OK, failure(Cause.IN_BAND_ERROR, typed=True), False, None),
        (Outcome.FAILED, failure(Cause.BAD_REQUEST), None, None),
        (Outcome.FAILED, failure(Cause.LOCAL), None, None),
        (Outcome.FAILED, failure(Cause.AUTHENTICATION), None, None),
        (Outcome.CANCELLED, None, None, None),
    ],
)
def test_delivered_budget_is_spent_by_visible_failures_only(outcome, of, delivered, saved):
    assert judge_call(ended(outcome, of), DELIVERED) is delivered
    assert masked(ended(outcome, of)) is saved


@pytest.mark.parametrize(("first", "good"), [(1.5, True), (2.1, False), (None, None)])
def test_first_chunk_is_measured_from_the_call(first, good):
    assert judge_call(make_end(stream_stats=make_stats(first_chunk=first)), FIRST_CHUNK) is good
    assert judge_call(make_end(stream_stats=None), FIRST_CHUNK) is None
