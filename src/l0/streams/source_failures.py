"""Classify the exceptions of a source, and make the exception that the user gets for a failure."""

from __future__ import annotations

import ssl
from dataclasses import replace
from socket import gaierror
from typing import Any

from l0.model.errors import StreamInterrupted, describe_break, fill
from l0.model.failure import TIMEOUT_CAUSES, Category, Cause, Failure
from l0.runtime import exception_classifier
from l0.runtime.exception_classifier import ExceptionClasses, RetryRules, is_a, said
from l0.stainless.interruptions import interruption
from l0.wire.retry_after import server_wait

from .stream_events import UnknownStreamError

_REPEATED = frozenset({408, 409, 429})
"""Statuses below 500 after which the SDKs retry."""
_CLASSES = ExceptionClasses(
    status=(Exception,),
    transport=(
        *("TransportError", "TimeoutException", "DecodingError", "RemoteProtocolError", "IncompleteRead"),
        *("TooManyRedirects", "EndOfStream", ssl.SSLError, gaierror),
    ),
    connection=("APIConnectionError", TimeoutError, ConnectionError, EOFError),
    provider=("APIError",),
)
"""Classes of HTTP libraries and SDKs, by name: none of them is imported."""


def classify(error: BaseException, *, opened: bool) -> Failure | None:
    """Return the failure for ``error``; ``None`` if it is not a failure of the source, such as a mistake in the user's
    code."""
    if isinstance(error, StreamInterrupted):
        return Failure(cause=_cause_named(error.reason), detail=str(error), error=error, sdk_retries=True)
    inner = getattr(error, "original_exception", None)
    if isinstance(error, Exception) and isinstance(inner, Exception):
        # litellm wraps errors. The status of the wrapper is not that of a response.
        return _wrapped(error, classify(inner, opened=opened))
    return exception_classifier.classify(error, _CLASSES, _RULES, opened=opened)


def _retries(error: Exception, response: Any) -> bool:
    """Decide as the SDKs do: retry every error without an answer, and some statuses."""
    status = getattr(error, "status_code", None)
    if is_a(error, _CLASSES.connection) or type(status) is not int:
        return True
    asked = (getattr(response, "headers", None) or {}).get("x-should-retry")
    return asked == "true" or (asked != "false" and (status in _REPEATED or status >= 500))


_RULES = RetryRules(retries=_retries, wait=server_wait)


def _wrapped(error: Exception, inner: Failure | None) -> Failure | None:
    return None if inner is None else replace(inner, detail=said(error), status=None, error=error)


def adopted(below: Failure, error: Exception) -> Failure:
    """Return the failure that the engine in a patched SDK found, with the exception that it raised."""
    repeated = below.sdk_retries or (below.status is None and below.category is not Category.FATAL)
    return replace(below, error=error, sdk_retries=repeated)


def _cause_named(reason: str) -> Cause:
    try:
        return Cause(reason)
    except ValueError:  # created by the user's code
        return Cause.TRUNCATED


def exception(failure: Failure, *, opened: bool, text: str, attempts: int) -> BaseException:
    """Return the exception for the user: the source's own, or for a broken answer one that is also a
    `StreamInterrupted`."""
    error = failure.error
    fields = {"partial_text": text, "reason": failure.cause.value, "attempts": attempts}
    if isinstance(error, StreamInterrupted):
        return fill(error, fields)
    if error is not None and (not opened or failure.status is not None or isinstance(error, UnknownStreamError)):
        return error
    message = describe_break(failure.cause.value, failure.message, characters=len(text), attempts=attempts)
    if isinstance(error, Exception):
        raised = interruption(error, None, **fields)
        raised.args = (message,)
        raised.__cause__ = error
        return raised
    if failure.cause in TIMEOUT_CAUSES:
        return interruption(TimeoutError(message), None, **fields)
    if failure.category is Category.NETWORK:
        return interruption(ConnectionError(message), None, **fields)
    return fill(StreamInterrupted(message), fields)
