"""The guide's defaults and error types, and which failure is which."""

from dataclasses import asdict, fields

import pytest

from l0 import types
from l0.model import policy as values
from l0.model.error_types import ERROR_TYPES, error_type, error_type_delay
from l0.model.failure import CATEGORIES, Category, Cause, Failure
from l0.model.policy import (
    ERROR_TYPE_DELAY_DEFAULTS,
    RETRY_DEFAULTS,
    BackoffStrategy,
    ErrorTypeDelays,
    Retry,
    RetryableErrorType,
)

GUIDE = {
    "connection_dropped": 1.0,
    "fetch_error": 0.5,
    "econnreset": 1.0,
    "econnrefused": 2.0,
    "sse_aborted": 0.5,
    "no_bytes": 0.5,
    "partial_chunks": 0.5,
    "runtime_killed": 2.0,
    "background_throttle": 5.0,
    "dns_error": 3.0,
    "ssl_error": 0.0,
    "timeout": 1.0,
    "unknown": 1.0,
}


def failure(cause: Cause, **more) -> Failure:
    return Failure(cause=cause, message="made for a test", **more)


def test_the_defaults_of_the_guide():
    assert asdict(ERROR_TYPE_DELAY_DEFAULTS) == GUIDE
    assert (RETRY_DEFAULTS.attempts, RETRY_DEFAULTS.max_retries) == (3, 6)
    assert (RETRY_DEFAULTS.base_delay, RETRY_DEFAULTS.max_delay, RETRY_DEFAULTS.network_max_delay) == (1.0, 10.0, 30.0)
    assert RETRY_DEFAULTS.backoff is BackoffStrategy.FIXED_JITTER
    assert RETRY_DEFAULTS.retry_on == tuple(RetryableErrorType)
    assert Retry() == RETRY_DEFAULTS


def test_backoff_is_the_strategy():
    assert Retry(strategy="linear").backoff is BackoffStrategy.LINEAR


def test_a_mapping_means_the_same_as_the_class():
    given = {"dns_error": 9.0, "timeout": 0}
    assert Retry(error_type_delays=given) == Retry(error_type_delays=ErrorTypeDelays(**given))
    assert hash(Retry(error_type_delays=given)) == hash(Retry(error_type_delays=ErrorTypeDelays(**given)))


def test_every_type_that_a_cause_has_is_one_of_the_guide():
    assert set(ERROR_TYPES.values()) | {"econnrefused"} == set(GUIDE) - {"runtime_killed", "background_throttle"}


def test_every_failure_of_the_network_has_a_type_and_no_answer_has_one():
    network = {cause for cause in Cause if CATEGORIES[cause] is Category.NETWORK}
    assert network <= set(ERROR_TYPES)
    answers = {Cause.RATE_LIMIT, Cause.OVERLOADED, Cause.SERVER_ERROR, Cause.EMPTY, Cause.IN_BAND_ERROR, Cause.CONFLICT}
    assert not answers & set(ERROR_TYPES)


def raised_from(error: BaseException, *causes: BaseException) -> BaseException:
    for outer, inner in zip((error, *causes), causes, strict=False):
        outer.__cause__ = inner
    return error


REFUSED, RESET = ConnectionRefusedError(), ConnectionResetError()


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (None, "fetch_error"),
        (RuntimeError(), "fetch_error"),
        (raised_from(RuntimeError(), OSError("All connection attempts failed")), "fetch_error"),
        (REFUSED, "econnrefused"),
        (raised_from(RuntimeError(), ValueError(), ConnectionRefusedError()), "econnrefused"),
        (raised_from(RuntimeError(), ValueError(), ConnectionResetError()), "econnreset"),
        (raised_from(OSError(), ExceptionGroup("several", [TimeoutError(), ConnectionRefusedError()])), "econnrefused"),
    ],
)
def test_connection_error_type_follows_its_cause(error, expected):
    assert error_type(failure(Cause.CONNECTION, error=error)) == expected


def test_causes_in_a_circle_end():
    first, second = RuntimeError(), RuntimeError()
    first.__cause__, second.__cause__ = second, first
    assert error_type(failure(Cause.CONNECTION, error=first)) == "fetch_error"


def test_error_type_uses_the_context_without_a_cause():
    outer = RuntimeError()
    outer.__context__ = ConnectionRefusedError()
    assert error_type(failure(Cause.CONNECTION, error=outer)) == "econnrefused"


def test_what_has_a_status_is_an_answer():
    assert error_type(failure(Cause.MALFORMED, status=200)) is None
    assert error_type(failure(Cause.MALFORMED)) == "partial_chunks"


@pytest.mark.parametrize("cause", Cause)
def test_each_cause_starts_from_the_delay_of_its_own_type(cause):
    delays = ErrorTypeDelays(**{field.name: 10.0 + number for number, field in enumerate(fields(ErrorTypeDelays))})
    name = ERROR_TYPES.get(cause)
    expected = None if name is None else getattr(delays, name)
    assert error_type_delay(Retry(error_type_delays=delays), failure(cause)) == expected
    assert error_type_delay(Retry(), failure(cause)) is None


def test_the_names_that_the_guide_imports_are_the_values_own():
    assert types.BackoffStrategy is values.BackoffStrategy
    assert types.RetryableErrorType is values.RetryableErrorType
    assert types.ErrorCategory is Category
    assert all(
        hasattr(types.BackoffStrategy, name) for name in ("FIXED_JITTER", "EXPONENTIAL", "FULL_JITTER", "LINEAR")
    )
