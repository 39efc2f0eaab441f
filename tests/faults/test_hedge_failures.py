"""Two requests side by side, of which one fails or is late: the other runs on, and each has its own cause and end."""

from collections.abc import Iterator
from typing import Any

import openai
import pytest
from faults_kit import Seen, Stage, body_of, sync_and_async

import l0
from l0.model.call import Outcome
from l0.model.failure import Cause
from l0.simulator.faults import Fault

AFTER = 1.0
"""Seconds until the second request: late enough that the first one arrives first on a busy machine, too."""
HEDGE = l0.Hedge(after=1000 * AFTER)
NEVER = l0.Retry(max_retries=0)
SILENT = Fault.no_headers()
DUMB = Fault.stall(at_event=0)
LATE = 2.5
"""Seconds of the second request until its content: later than the end of the first, and within its own limit."""
SECOND = Fault.stall(at_event=0, seconds=LATE)


@pytest.fixture(autouse=True)
def on(stage: Stage) -> Iterator[None]:
    stage.on()
    yield
    l0.uninstrument()


def call(stage: Stage, sync: bool, policy: l0.Policy, *faults: Fault, dialect: str = "chat") -> Seen:
    with l0.policy(policy):
        return stage.call(body_of(dialect), *faults, sync=sync)


def attempts(stage: Stage) -> list[Any]:
    """The spans of the requests, in their order."""
    return [span for span in stage.exporter.get_finished_spans() if span.parent is not None]


def causes(stage: Stage) -> list[str | None]:
    return [span.attributes.get("l0.attempt.cause") for span in attempts(stage)]


def assert_first_ended_before_content(stage: Stage) -> None:
    first, second = attempts(stage)
    assert first.end_time < second.start_time + LATE * 1e9


@sync_and_async
@pytest.mark.parametrize(
    ("fault", "cause"),
    [(SILENT, Cause.NO_HEADERS), (DUMB, Cause.FIRST_CONTENT_TIMEOUT)],
    ids=["no headers", "no content"],
)
def test_a_late_first_request_does_not_end_its_hedge(stage, fault, cause, sync):
    policy = l0.Policy(hedge=HEDGE, timeout=l0.Timeout(initial_token=3_000), retry=NEVER)
    seen = call(stage, sync, policy, fault, SECOND)
    assert seen.error is None
    assert (seen.requests, seen.span["l0.outcome"]) == (2, Outcome.RECOVERED_HEDGE)
    assert causes(stage) == [cause, None]
    assert_first_ended_before_content(stage)
    first = attempts(stage)[0].attributes
    assert ("http.response.status_code" in first) == ("l0.request.id" in first) == (fault is DUMB)


@sync_and_async
@pytest.mark.parametrize("fault", [SILENT, DUMB], ids=["no headers", "no content"])
def test_a_call_whose_requests_are_both_late_has_both_limits(stage, fault, sync):
    policy = l0.Policy(hedge=HEDGE, timeout=l0.Timeout(initial_token=2_000), retry=NEVER)
    seen = call(stage, sync, policy, fault, fault)
    assert isinstance(seen.error, openai.APITimeoutError)
    assert "within 2,000 ms (Timeout.initial_token)" in str(seen.error)
    first, second = attempts(stage)
    assert causes(stage) == [first.attributes["l0.attempt.cause"]] * 2
    assert second.end_time - second.start_time >= 2e9
    assert first.end_time < second.end_time
    for span in attempts(stage):
        assert ("l0.request.id" in span.attributes) == (fault is DUMB)


@sync_and_async
def test_a_silent_request_in_a_race_has_its_limit_for_a_sign_of_life(stage, sync):
    policy = l0.Policy(hedge=HEDGE, timeout=l0.Timeout(initial_token=None, liveness=2_000), retry=NEVER)
    seen = call(stage, sync, policy, DUMB, DUMB)
    assert isinstance(seen.error, openai.APITimeoutError)
    assert causes(stage) == [Cause.DEAD, Cause.DEAD]


@sync_and_async
def test_a_silent_hedge_does_not_end_a_first_request_that_sends_pings(stage, sync):
    policy = l0.Policy(hedge=HEDGE, timeout=l0.Timeout(initial_token=None, liveness=2_000), retry=NEVER)
    seen = call(stage, sync, policy, Fault.pings(at_event=0, count=80), DUMB)  # 4 s of pings
    assert seen.error is None
    assert seen.span["l0.outcome"] == Outcome.OK
    assert causes(stage) == [None, Cause.DEAD]


@sync_and_async
@pytest.mark.parametrize(
    ("fault", "cause"),
    [
        (Fault.no_headers(seconds=1.6), Cause.CONNECTION),
        (Fault.stall(at_event=0, seconds=1.6) | Fault.reset(at_event=0), Cause.RESET),
        (Fault.stall(at_event=0, seconds=1.6) | Fault.clean_end(at_event=0), Cause.EMPTY),
        (Fault.stall(at_event=0, seconds=1.6) | Fault.in_band_error(at_event=0), Cause.SERVER_ERROR),
    ],
    ids=["no headers", "reset", "empty", "error event"],
)
def test_a_first_request_that_fails_ends_when_it_fails(stage, fault, cause, sync):
    seen = call(stage, sync, l0.Policy(hedge=HEDGE, retry=NEVER), fault, SECOND)
    assert seen.error is None
    assert (seen.requests, seen.span["l0.outcome"]) == (2, Outcome.RECOVERED_HEDGE)
    assert causes(stage) == [cause, None]
    assert_first_ended_before_content(stage)


@sync_and_async
def test_a_hedge_that_is_refused_does_not_end_the_first_request(stage, sync):
    seen = call(
        stage, sync, l0.Policy(hedge=HEDGE, retry=NEVER), Fault.stall(at_event=0, seconds=3.0), Fault.status(503)
    )
    assert seen.error is None
    assert (seen.requests, seen.span["l0.outcome"]) == (2, Outcome.OK)
    assert causes(stage) == [None, Cause.UNAVAILABLE]
    assert attempts(stage)[1].attributes["http.response.status_code"] == 503


@sync_and_async
def test_a_call_whose_requests_both_fail_records_both_ends(stage, sync):
    first, second = Fault.no_headers(seconds=1.6), Fault.stall(at_event=0, seconds=LATE) | Fault.reset(at_event=0)
    seen = call(stage, sync, l0.Policy(hedge=HEDGE, retry=NEVER), first, second)
    assert isinstance(seen.error, openai.APIConnectionError)
    assert causes(stage) == [Cause.CONNECTION, Cause.RESET]
    assert_first_ended_before_content(stage)


@sync_and_async
def test_the_end_of_the_total_time_ends_both(stage, sync):
    policy = l0.Policy(hedge=HEDGE, timeout=l0.Timeout(initial_token=None, total=2_500), retry=NEVER)
    seen = call(stage, sync, policy, DUMB, SILENT)
    assert isinstance(seen.error, openai.APITimeoutError)
    assert causes(stage) == [Cause.TOTAL_TIMEOUT, Cause.TOTAL_TIMEOUT]


@sync_and_async
def test_a_fallback_serves_a_call_whose_requests_are_both_late(stage, sync):
    policy = l0.Policy(
        hedge=HEDGE,
        timeout=l0.Timeout(initial_token=2_000),
        retry=NEVER,
        fallback=[l0.Fallback(model="other")],
    )
    seen = call(stage, sync, policy, DUMB, SILENT)
    assert seen.error is None
    assert (seen.requests, seen.span["l0.outcome"]) == (3, Outcome.RECOVERED_FALLBACK)
    assert causes(stage) == [Cause.FIRST_CONTENT_TIMEOUT, Cause.NO_HEADERS, None]


@sync_and_async
def test_a_retry_after_a_hedge_without_content_is_no_hedge(stage, sync):
    ended = Fault.stall(at_event=0, seconds=1.0) | Fault.clean_end(at_event=0)
    policy = l0.Policy(hedge=HEDGE, timeout=l0.Timeout(initial_token=1_500))
    seen = call(stage, sync, policy, DUMB, ended)
    assert seen.error is None
    assert (seen.requests, seen.span["l0.outcome"]) == (3, Outcome.RECOVERED_RETRY)
