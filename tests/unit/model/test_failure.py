"""Every cause has one category and one retry reason; a failure's text names its cause and status."""

import pytest

from l0.model.failure import CATEGORIES, RETRY_REASONS, TIMEOUT_CAUSES, Category, Cause, Failure
from l0.model.policy import RetryableErrorType
from l0.types import ErrorCategory

HOPELESS = {
    *(Cause.QUOTA, Cause.AUTHENTICATION, Cause.NOT_FOUND, Cause.CONTEXT_LENGTH, Cause.BAD_REQUEST),
    *(Cause.NOT_IMPLEMENTED, Cause.TLS_CERTIFICATE, Cause.REDIRECTS, Cause.TOTAL_TIMEOUT, Cause.UNKNOWN, Cause.LOCAL),
    Cause.DIVERGED,  # the same answer will not come again
    Cause.BREAKER_OPEN,  # nothing was sent; only another leg may help
}


@pytest.mark.parametrize("cause", Cause)
def test_every_cause_is_in_both_tables(cause):
    assert CATEGORIES[cause] in Category
    assert RETRY_REASONS[cause] in RetryableErrorType


def test_what_is_hopeless_is_fatal_and_nothing_else_is():
    assert {cause for cause in Cause if CATEGORIES[cause] is Category.FATAL} == HOPELESS


def test_internal_failure_has_the_category_internal():
    assert [cause for cause in Cause if CATEGORIES[cause] is Category.INTERNAL] == [Cause.INTERNAL]
    assert ErrorCategory.INTERNAL == "internal"


def test_failure_category_defaults_to_that_of_its_cause():
    assert Failure(cause=Cause.RESET, message="gone").category is Category.NETWORK
    assert Failure(cause=Cause.RESET, message="gone", category=Category.FATAL).category is Category.FATAL


@pytest.mark.parametrize("cause", sorted(TIMEOUT_CAUSES))
def test_clocks_are_retried_as_timeouts(cause):
    assert RETRY_REASONS[cause] is RetryableErrorType.TIMEOUT


@pytest.mark.parametrize(
    ("cause", "reason"),
    [
        (Cause.RATE_LIMIT, "rate_limit"),
        (Cause.EMPTY, "zero_output"),
        (Cause.TRUNCATED, "incomplete"),
        (Cause.RESET, "network_error"),
        (Cause.OVERLOADED, "server_error"),
    ],
)
def test_reasons_are_those_that_a_user_would_name(cause, reason):
    assert RETRY_REASONS[cause] == reason


def test_a_failure_reads_as_one_line():
    plain = Failure(cause=Cause.TRUNCATED, message="no terminal event")
    full = Failure(cause=Cause.OVERLOADED, message="busy", status=529, code="overloaded_error")
    assert str(plain) == "truncated: no terminal event"
    assert str(full) == "overloaded status 529 overloaded_error: busy"


def test_failures_are_compared_by_identity():
    assert Failure(cause=Cause.RESET, message="x") != Failure(cause=Cause.RESET, message="x")


@pytest.mark.parametrize(
    ("code", "message", "expected"),
    [
        ("model_not_found", "", "not_found model_not_found: the provider found no such model or path"),
        ("not_found", "", "not_found: the provider found no such model or path"),
        ("pattern", "pattern: it is about birds", "not_found: pattern: it is about birds"),
        ("pattern", "patterns differ", "not_found pattern: patterns differ"),
    ],
)
def test_text_names_a_code_once(code: str, message: str, expected: str) -> None:
    assert str(Failure(cause=Cause.NOT_FOUND, code=code, message=message)) == expected
