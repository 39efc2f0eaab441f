"""The summary of the calls of a process."""

import json
import os
import pickle
from dataclasses import asdict, replace
from typing import Any

import pytest
from makers import Clock, make_call, make_end, make_failure, make_stats

from l0.console.call_summary import OTHER_MODELS, Percentiles, Summary
from l0.console.call_tally import HOPELESS, MAX_MODELS, MAX_REASONS, OTHER_REASONS, CallTally
from l0.model.attempt import AttemptSpec
from l0.model.call import Outcome
from l0.model.call_events import AttemptEnded, AttemptStarted, ResponseMetadata
from l0.model.failure import Cause, Failure

RESET = make_failure(Cause.RESET)
REFUSED = make_failure(Cause.UNAVAILABLE, status=503)
UNAVAILABLE = make_failure(Cause.UNAVAILABLE)
TRUNCATED = ResponseMetadata(anomalies=(Cause.TRUNCATED.value,))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def tally(clock: Clock) -> CallTally:
    return CallTally(clock)


def end(tally: CallTally, model: str = "gpt-4o", provider: str = "openai", **fields: Any) -> None:
    observer = tally.observe(make_call(model=model, provider=provider))
    observer.notify(make_end(**fields))


def failed(cause: Cause) -> dict[str, Any]:
    failure = make_failure(cause)
    return {"outcome": Outcome.FAILED, "failure": failure, "failures": (failure,)}


def test_summary_without_calls(tally: CallTally, clock: Clock) -> None:
    clock.now += 5
    assert tally.summary() == Summary(
        process=os.getpid(),
        seconds=5.0,
        calls=0,
        running=0,
        whole=0,
        recovered={},
        doubtful=0,
        failed={},
        stopped={},
        cancelled=0,
        extra_requests=0,
        sdk_retries=0,
        recovery_seconds=0.0,
        wasted_tokens=0,
        unknown_waste=0,
        models=(),
    )


def test_every_outcome_is_counted_once(tally: CallTally) -> None:
    end(tally)
    end(tally, outcome=Outcome.RECOVERED_RETRY, failures=(UNAVAILABLE, RESET), attempts=3)
    end(tally, outcome=Outcome.RECOVERED_HEDGE, attempts=2)
    end(tally, metadata=TRUNCATED)
    end(tally, outcome=Outcome.RECOVERED_RETRY, failures=(RESET,), attempts=2, metadata=TRUNCATED)
    end(tally, **failed(Cause.NOT_FOUND))
    end(tally, outcome=Outcome.CANCELLED)
    tally.observe(make_call())
    found = tally.summary()
    assert (found.calls, found.running, found.whole, found.doubtful, found.cancelled) == (7, 1, 1, 2, 1)
    assert found.recovered == {"reset": 1, "hedge": 1}
    assert found.failed == {"not_found": 1}
    parts = (found.whole, found.doubtful, found.cancelled, *found.recovered.values(), *found.failed.values())
    assert sum(parts) == found.calls


def test_frequent_causes_come_first(tally: CallTally) -> None:
    for cause in (Cause.RESET, Cause.NOT_FOUND, Cause.NOT_FOUND):
        end(tally, **failed(cause))
    assert list(tally.summary().failed.items()) == [("not_found", 2), ("reset", 1)]


def test_cost_of_retries(tally: CallTally) -> None:
    end(tally, attempts=3, outcome=Outcome.RECOVERED_RETRY, failures=(RESET, RESET), wasted_tokens=120)
    end(tally, attempts=0, outcome=Outcome.FAILED, failure=make_failure(Cause.BREAKER_OPEN))
    end(tally, attempts=2, outcome=Outcome.RECOVERED_RETRY, failures=(RESET,))
    found = tally.summary()
    assert (found.extra_requests, found.wasted_tokens) == (3, 120)


def retried(tally: CallTally, *ends: AttemptEnded, **fields: Any) -> None:
    """Report a call whose attempts take a second each; ``ends``: of those that failed."""
    observer = tally.observe(make_call(**fields))
    at = 100.0
    for event in ends:
        observer.notify(AttemptStarted(attempt=AttemptSpec(number=event.number), at=at))
        observer.notify(replace(event, at=at + 1.0))
        at += 1.0 + event.wait_s
    failures = tuple(event.failure for event in ends if event.failure is not None)
    observer.notify(make_end(outcome=Outcome.RECOVERED_RETRY, failures=failures, attempts=len(ends) + 1, at=at + 1.0))


def broke(number: int, failure: Failure, action: str = "retry", status: int | None = None) -> AttemptEnded:
    return AttemptEnded(
        number=number, failure=failure, status=status, request_id=None, at=0.0, action=action, wait_s=0.5
    )


@pytest.mark.parametrize(
    ("ends", "fields", "repeated", "unknown"),
    [
        ([broke(1, REFUSED, status=503)], {}, 1, 0),
        ([broke(1, make_failure(Cause.CONNECTION))], {}, 1, 0),
        ([broke(1, RESET, status=200)], {}, 0, 1),
        ([broke(1, RESET, status=200)], {"streaming": False}, 1, 1),
        ([broke(1, make_failure(Cause.NOT_A_STREAM), status=200)], {"streaming": False}, 0, 1),
        ([broke(1, RESET, status=200), broke(2, REFUSED, status=503)], {}, 0, 1),
        ([broke(number, REFUSED, status=503) for number in (1, 2, 3)], {}, 2, 0),
        ([broke(1, REFUSED, status=503)], {"max_retries": 0}, 0, 0),
        ([broke(1, make_failure(Cause.EMPTY, sdk_retries=False))], {}, 0, 1),
    ],
)
def test_requests_that_the_bare_sdk_would_send_too(
    tally: CallTally, ends: list[AttemptEnded], fields: dict[str, Any], repeated: int, unknown: int
) -> None:
    retried(tally, *ends, **fields)
    found = tally.summary()
    assert (found.extra_requests, found.sdk_retries, found.unknown_waste) == (len(ends), repeated, unknown)


def test_an_open_breaker_sends_no_request_that_could_waste_tokens(tally: CallTally) -> None:
    skipped = make_failure(Cause.BREAKER_OPEN)
    end(tally, attempts=1, outcome=Outcome.RECOVERED_FALLBACK, failures=(skipped,), leg=1)
    assert tally.summary().unknown_waste == 0
    end(tally, attempts=2, outcome=Outcome.RECOVERED_FALLBACK, failures=(skipped, RESET), leg=1)
    assert tally.summary().unknown_waste == 1, "the request that was reset may have used tokens"


def test_time_of_recoveries(tally: CallTally) -> None:
    retried(tally, broke(1, REFUSED, status=503), broke(2, RESET, action="fallback", status=200))
    retried(tally, broke(1, RESET, action="resume", status=200))
    assert tally.summary().recovery_seconds == 1.5 + 1.5 + 0.5


def test_wait_that_the_user_ended_counts_until_then(tally: CallTally) -> None:
    observer = tally.observe(make_call())
    observer.notify(AttemptStarted(attempt=AttemptSpec(number=1), at=100.0))
    observer.notify(replace(broke(1, REFUSED, status=503), at=101.0, wait_s=30.0))
    observer.notify(make_end(outcome=Outcome.CANCELLED, failures=(REFUSED,), at=101.5))
    assert tally.summary().recovery_seconds == 1.5


def test_reasons_of_failed_calls_are_bounded(tally: CallTally) -> None:
    end(tally, **failed(Cause.NOT_FOUND))
    for number in range(MAX_REASONS + 5):
        end(tally, stop_reason=f"the server asks to wait {number} s", **failed(Cause.RATE_LIMIT))
    found = tally.summary().stopped
    assert (found[HOPELESS], found[OTHER_REASONS], len(found)) == (1, 6, MAX_REASONS + 1)


def test_unreported_tokens_are_unknown(tally: CallTally) -> None:
    end(tally, metadata=ResponseMetadata())
    (found,) = tally.summary().models
    assert (found.input_tokens, found.output_tokens) == (None, None)


def test_summary_as_text(tally: CallTally) -> None:
    end(tally)
    assert str(tally.summary()).splitlines()[1] == "  calls      1: 1 whole"


def test_speed_and_tokens_of_a_model(tally: CallTally) -> None:
    for first in (0.1, 0.2, 0.3):
        stats = make_stats(first_chunk=first, gaps=((0.01, 98), (0.5, 2)), gap_p95=first / 10, gap_max=0.5)
        end(tally, stream_stats=stats, metadata=ResponseMetadata(input_tokens=10, output_tokens=5))
    end(tally, stream_stats=make_stats(first_chunk=None, gap_max=0.0), **failed(Cause.NOT_FOUND))
    (found,) = tally.summary().models
    assert (found.provider, found.model, found.calls, found.failed) == ("openai", "gpt-4o", 4, 1)
    assert (found.input_tokens, found.output_tokens) == (30, 15)
    assert found.first_token.p50 == pytest.approx(0.2, rel=0.1)
    assert found.first_token.p99 == 0.3
    assert found.gap.p50 == pytest.approx(0.02, rel=0.1), "of the calls' own 95th percentiles, as in the viewer"
    assert found.gap.p99 == pytest.approx(0.03)
    assert found.longest_gap == 0.5


def test_model_without_streams_has_no_times(tally: CallTally) -> None:
    end(tally, stream_stats=make_stats(first_chunk=None, gap_max=0.0))
    (found,) = tally.summary().models
    assert found.first_token == found.gap == Percentiles()
    assert found.longest_gap is None


def test_models_are_bounded_and_the_others_come_last(tally: CallTally) -> None:
    for number in range(MAX_MODELS + 50):
        end(tally, model=f"model-{number}")
    end(tally, model="model-7")
    models = tally.summary().models
    assert len(models) == MAX_MODELS + 1
    assert (models[0].model, models[0].calls) == ("model-7", 2)
    assert (models[-1].model, models[-1].calls) == (OTHER_MODELS, 50)


def test_unknown_provider_is_empty_and_names_are_one_line(tally: CallTally) -> None:
    end(tally, provider="unknown", model="a\nb\x1b[2J")
    (found,) = tally.summary().models
    assert found.provider == ""
    assert found.model.isprintable()


def test_call_that_began_before_the_count_is_not_in_it(tally: CallTally) -> None:
    observer = tally.observe(make_call())
    tally.renew()
    observer.notify(make_end())
    found = tally.summary()
    assert (found.calls, found.running) == (0, 0)


def test_summary_is_a_value(tally: CallTally) -> None:
    end(tally, **failed(Cause.NOT_FOUND))
    found = tally.summary()
    assert pickle.loads(pickle.dumps(found)) == found
    assert json.loads(json.dumps(asdict(found)))["failed"] == {"not_found": 1}
