"""What an exception of a source means, and what the user gets for it. By type, status and code; never by its text."""

from __future__ import annotations

import ssl
from dataclasses import replace
from socket import gaierror
from typing import Any

from l0.model.errors import StreamInterrupted, describe_break, fill
from l0.model.failure import TIMEOUT_CAUSES, Category, Cause, Failure
from l0.stainless.exception_causes import STATUSES, links, said
from l0.stainless.interruptions import interruption
from l0.wire.retry_after import server_wait

from .stream_events import UnknownStreamError

_REPEATED = frozenset({408, 409, 429})
"""Statuses below 500 that the SDKs repeat."""
_UNREACHED = ((ssl.SSLCertVerificationError, Cause.TLS_CERTIFICATE), (gaierror, Cause.DNS))
_BROKEN_NAMES = {
    "TimeoutException": Cause.READ_TIMEOUT,
    "DecodingError": Cause.CORRUPT,
    "RemoteProtocolError": Cause.INCOMPLETE_READ,
    "IncompleteRead": Cause.INCOMPLETE_READ,
    "TransportError": Cause.RESET,
}
"""Classes of the HTTP libraries, by the name of a base class: none of them is imported."""


def classify(error: BaseException, *, opened: bool) -> Failure | None:
    """The failure that ``error`` stands for; ``None`` for what is none, such as a mistake in the user's own code."""
    if not isinstance(error, Exception):
        return None
    if isinstance(error, StreamInterrupted):
        return Failure(cause=_cause_named(error.reason), detail=str(error), error=error, sdk_retries=True)
    inner = getattr(error, "original_exception", None)
    if isinstance(inner, Exception):  # litellm wraps what breaks on the way: its status is no response's
        return _wrapped(error, classify(inner, opened=opened))
    status = getattr(error, "status_code", None)
    if isinstance(status, int) and not isinstance(status, bool) and status >= 400 and not _unanswered(error):
        return _of_status(error, status)
    cause = _broken(error) if opened else _unreached(error)
    return None if cause is None else Failure(cause=cause, detail=said(error), error=error, sdk_retries=True)


def _wrapped(error: Exception, inner: Failure | None) -> Failure | None:
    return None if inner is None else replace(inner, detail=said(error), status=None, error=error)


def adopted(below: Failure, error: Exception) -> Failure:
    """The failure that the engine in a patched SDK found, with the exception that came up from there."""
    repeated = below.sdk_retries or (below.status is None and below.category is not Category.FATAL)
    return replace(below, error=error, sdk_retries=repeated)


def _cause_named(reason: str) -> Cause:
    try:
        return Cause(reason)
    except ValueError:  # made by a user's own hand
        return Cause.TRUNCATED


def _unanswered(error: Exception) -> bool:
    """Whether it says that there was no answer; litellm gives a status to such errors as well."""
    return any(base.__name__ == "APIConnectionError" for base in type(error).__mro__)


def _of_status(error: Any, status: int) -> Failure:
    headers = getattr(getattr(error, "response", None), "headers", None) or {}
    code = getattr(error, "code", None) or getattr(error, "type", None)
    asked = headers.get("x-should-retry")
    return Failure(
        cause=STATUSES.get(status, Cause.SERVER_ERROR if status >= 500 else Cause.BAD_REQUEST),
        detail=said(error),
        status=status,
        code=code if isinstance(code, str) else None,
        retry_after=server_wait(headers),
        sdk_retries=asked == "true" or (asked != "false" and (status in _REPEATED or status >= 500)),
        error=error,
        request_id=headers.get("x-request-id") or headers.get("request-id"),
    )


def _unreached(error: Exception) -> Cause | None:
    for link in links(error):
        for kind, cause in _UNREACHED:
            if isinstance(link, kind):
                return cause
    found = _named(error)
    if found is Cause.READ_TIMEOUT or isinstance(error, TimeoutError):
        return Cause.NO_HEADERS
    return Cause.CONNECTION if found is not None or isinstance(error, ConnectionError) else None


def _broken(error: Exception) -> Cause | None:
    if isinstance(error, TimeoutError):
        return Cause.READ_TIMEOUT
    if isinstance(error, ConnectionError | EOFError):
        return Cause.RESET
    return _named(error)


def _named(error: Exception) -> Cause | None:
    """By the class names in the chain of causes; the SDKs' own connection errors stand around the transport's."""
    for link in links(error):
        names = {base.__name__ for base in type(link).__mro__}
        for name, cause in _BROKEN_NAMES.items():
            if name in names:
                return cause
    names = {base.__name__ for base in type(error).__mro__}
    if "APITimeoutError" in names:
        return Cause.READ_TIMEOUT
    if "APIConnectionError" in names:
        return Cause.CONNECTION
    return Cause.IN_BAND_ERROR if "APIError" in names else None


def exception(failure: Failure, *, opened: bool, text: str, attempts: int) -> BaseException:
    """What the user gets: the source's own exception, and for a break one that is of its class and ours."""
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
