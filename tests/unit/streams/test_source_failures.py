"""The classification of exceptions of sources, and the exceptions for the user."""

import pickle
import ssl
from socket import gaierror
from types import SimpleNamespace
from typing import Any

import pytest

from l0 import StreamInterrupted
from l0.model.error_context import ErrorContext
from l0.model.failure import Cause, Failure
from l0.streams.source_failures import classify, exception


class TransportError(Exception):
    """As httpx calls them all."""


class ReadTimeout(TransportError):
    """Below `TimeoutException`, in httpx."""


class TimeoutException(ReadTimeout):
    """Its name is what counts."""


class RemoteProtocolError(TransportError):
    """The body ended too soon."""


class APIConnectionError(Exception):
    """As both SDKs call it."""


class StatusError(Exception):
    """Any error that carries a status."""

    def __init__(self, status: Any, **headers: str) -> None:
        super().__init__(str(status))
        self.status_code = status
        self.response = SimpleNamespace(headers={name.replace("_", "-"): value for name, value in headers.items()})


class WithStatusError(APIConnectionError):
    """As litellm gives a status to connections that broke."""

    status_code = 500


class MidStreamError(StatusError):
    """As litellm wraps what breaks on the way, with a status that no response had."""

    def __init__(self, inner: Exception) -> None:
        super().__init__(503)
        self.original_exception = inner


MISTAKES = [TypeError(), AttributeError(), NameError(), AssertionError(), IndexError(), ZeroDivisionError()]


def caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "opened", "cause"),
    [
        (StatusError(429), False, Cause.RATE_LIMIT),
        (StatusError(503), False, Cause.UNAVAILABLE),
        (StatusError(401), False, Cause.AUTHENTICATION),
        (StatusError(418), False, Cause.BAD_REQUEST),
        (StatusError(599), True, Cause.SERVER_ERROR),
        (StatusError("429"), False, Cause.SOURCE_ERROR),
        (ConnectionRefusedError(), False, Cause.CONNECTION),
        (ConnectionResetError(), True, Cause.RESET),
        (TimeoutError(), False, Cause.NO_HEADERS),
        (TimeoutError(), True, Cause.READ_TIMEOUT),
        (TimeoutException(), False, Cause.NO_HEADERS),
        (TimeoutException(), True, Cause.READ_TIMEOUT),
        (RemoteProtocolError(), True, Cause.INCOMPLETE_READ),
        (TransportError(), True, Cause.RESET),
        (APIConnectionError(), False, Cause.CONNECTION),
        (caused(APIConnectionError(), RemoteProtocolError()), True, Cause.INCOMPLETE_READ),
        (caused(APIConnectionError(), gaierror()), False, Cause.DNS),
        (caused(APIConnectionError(), ssl.SSLCertVerificationError()), False, Cause.TLS_CERTIFICATE),
        (WithStatusError(), False, Cause.CONNECTION),
        (MidStreamError(caused(WithStatusError(), RemoteProtocolError())), True, Cause.INCOMPLETE_READ),
        (MidStreamError(StatusError(529)), True, Cause.OVERLOADED),
        (MidStreamError(KeyError("mine")), True, None),
        (EOFError(), True, Cause.RESET),
        (KeyError("mine"), True, None),
        (RuntimeError("any"), False, Cause.SOURCE_ERROR),
        (OSError("any"), True, Cause.SOURCE_ERROR),
        (ValueError("any"), False, Cause.SOURCE_ERROR),
        *((mistake, opened, None) for mistake in MISTAKES for opened in (False, True)),
        (KeyboardInterrupt(), True, None),
    ],
    ids=lambda value: repr(value) if not isinstance(value, Cause) else value.value,
)
def test_causes(error: BaseException, opened: bool, cause: Cause | None) -> None:
    failure = classify(error, opened=opened)
    assert (failure.cause if failure is not None else None) is cause


@pytest.mark.parametrize(
    ("error", "retried"),
    [
        (StatusError(500), True),
        (StatusError(408), True),
        (StatusError(400), False),
        (StatusError(400, x_should_retry="true"), True),
        (StatusError(500, x_should_retry="false"), False),
    ],
    ids=repr,
)
def test_whether_a_status_is_retried(error: Exception, retried: bool) -> None:
    failure = classify(error, opened=False)
    assert failure is not None
    assert failure.sdk_retries is retried


def test_a_wait_that_the_server_asks_for() -> None:
    failure = classify(StatusError(429, retry_after="7", x_request_id="r1"), opened=False)
    assert failure is not None
    assert (failure.retry_after, failure.request_id) == (7.0, "r1")


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (Failure(cause=Cause.TRUNCATED, message="m"), ConnectionError),
        (Failure(cause=Cause.STALLED, message="m"), TimeoutError),
        (Failure(cause=Cause.EMPTY, message="m"), StreamInterrupted),
        (Failure(cause=Cause.RESET, message="m", error=ConnectionResetError("x")), ConnectionResetError),
    ],
    ids=lambda value: getattr(value, "cause", None),
)
def test_what_breaks_has_the_class_of_the_break_and_ours(failure: Failure, kind: type[BaseException]) -> None:
    error = exception(failure, ErrorContext(text="half", attempts=2, max_attempts=3, request_id="req_1"), opened=True)
    for each in (error, pickle.loads(pickle.dumps(error))):
        assert isinstance(each, kind)
        assert isinstance(each, StreamInterrupted)
        assert (each.partial_text, each.reason, each.attempts) == ("half", failure.cause.value, 2)
        assert each.request_id == "req_1"
        assert str(each).endswith("4 characters had arrived; attempt 2 of 3.")


def test_what_breaks_in_litellm_has_its_class_and_ours() -> None:
    failure = classify(MidStreamError(StatusError(529)), opened=True)
    assert failure is not None
    error = exception(failure, ErrorContext(text="half", attempts=1), opened=True)
    assert isinstance(error, MidStreamError)
    assert isinstance(error, StreamInterrupted)
    assert error.partial_text == "half"


def test_an_error_of_the_opening_stays_as_it_is() -> None:
    error = StatusError(503)
    failure = classify(error, opened=False)
    assert failure is not None
    assert exception(failure, ErrorContext(text="", attempts=3), opened=False) is error
