"""Classify the exceptions of a source, and make the exception that the user gets for a failure."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from json import JSONDecodeError
from typing import Any

from l0.model.error_context import ErrorContext
from l0.model.errors import StreamInterrupted, fill, raised
from l0.model.failure import CATEGORIES, TIMEOUT_CAUSES, Category, Cause, Failure
from l0.model.policy import PolicyError
from l0.model.ports import CallAdapter
from l0.runtime import exception_classifier
from l0.runtime.exception_classifier import RetryRules, text_of_exception
from l0.runtime.exception_links import is_a, links
from l0.runtime.library_errors import LIBRARY_CLASSES, library_failure
from l0.stainless.interruptions import interruption
from l0.wire.retry_after import server_wait

from .stream_events import UnknownStreamError

_RETRIED_STATUSES = frozenset({408, 409, 429})
"""Statuses below 500 after which the SDKs retry."""
MISTAKES = (
    *(TypeError, AttributeError, NameError, AssertionError, LookupError, ArithmeticError),
    *(ImportError, SyntaxError, NotImplementedError, RecursionError, MemoryError, PolicyError),
)
"""Exceptions that show a mistake in the program: a retry would repeat the mistake, and a fallback would hide it."""
_log = logging.getLogger("l0")

Classify = Callable[[Exception], Cause | str | None]
"""A user's function: it returns the cause of an exception of a source, or ``None`` to let L0 decide."""


def overruled(failure: Failure | None, error: BaseException, hook: Classify | None) -> Failure | None:
    """Return the failure with the cause that the user's function ``hook`` returns; unchanged if that is ``None``."""
    cause = _cause_of_hook(hook, error) if hook is not None and isinstance(error, Exception) else None
    if cause is None:
        return failure
    failure = failure or Failure(cause=cause, detail=text_of_exception(error), error=error)
    retried = CATEGORIES[cause] is not Category.FATAL
    return replace(failure, cause=cause, category=CATEGORIES[cause], message="", sdk_retries=retried)


def _cause_of_hook(hook: Classify, error: Exception) -> Cause | None:
    try:
        answer = hook(error)
        return None if answer is None else Cause(answer)
    except Exception:
        _log.warning("classify failed and is ignored: %s", raised())
        return None


def classify(error: BaseException, *, opened: bool) -> Failure | None:
    """Return the failure for ``error``; ``None`` if it is not a failure of the source, such as a mistake in the user's
    code. ``opened``: True if the source has opened."""
    if isinstance(error, StreamInterrupted):
        return Failure(cause=_cause_named(error.reason), detail=str(error), error=error, sdk_retries=True)
    if not isinstance(error, Exception):
        return None
    inner = getattr(error, "original_exception", None)
    if isinstance(inner, Exception):
        # litellm wraps errors. The status of the wrapper is not that of a response.
        return _wrapped(error, classify(inner, opened=opened))
    # The classifier reads the `status_code` of SDK exceptions itself. The exception of a broken connection may have a
    # status although no response came, so its status is not read.
    skips_libraries = type(getattr(error, "status_code", None)) is int or is_a(error, LIBRARY_CLASSES.connection)
    failure = None if skips_libraries else library_failure(error, _retries_status, opened=opened)
    failure = failure or exception_classifier.classify(error, LIBRARY_CLASSES, _RULES, opened=opened)
    if failure is not None or isinstance(error, MISTAKES):
        return failure
    for link in links(error):
        linked = library_failure(link, _retries_status, opened=opened) if isinstance(link, Exception) else None
        if linked is not None:
            return replace(linked, error=error)
    cause = Cause.MALFORMED if isinstance(error, JSONDecodeError | UnicodeDecodeError) else Cause.SOURCE_ERROR
    return Failure(cause=cause, detail=text_of_exception(error), error=error)


def _retries_status(status: int, headers: Mapping[str, str]) -> bool:
    """Return what the SDKs decide: the server's ``x-should-retry`` header, else whether they retry this status."""
    header = headers.get("x-should-retry")
    return header == "true" or (header != "false" and (status in _RETRIED_STATUSES or status >= 500))


def _retries(error: Exception, response: Any) -> bool:
    """Return True if the request should be sent again after this error; always if no response came."""
    status = getattr(error, "status_code", None)
    if is_a(error, LIBRARY_CLASSES.connection) or type(status) is not int:
        return True
    return _retries_status(status, getattr(response, "headers", None) or {})


_RULES = RetryRules(retries=_retries, wait=server_wait)


def _wrapped(error: Exception, inner: Failure | None) -> Failure | None:
    return None if inner is None else replace(inner, detail=text_of_exception(error), status=None, error=error)


def raised_for(inner: Failure, error: Exception) -> bool:
    """Return True if the engine inside a patched SDK raised ``error`` for its failure ``inner``. For a time limit or an
    open breaker, which raise nothing themselves, it raised an exception of the SDK."""
    if inner.error is not None:
        return inner.error is error
    return any(is_a(link, LIBRARY_CLASSES.connection) for link in links(error))


def adopted(inner: Failure, error: Exception) -> Failure:
    """Return the failure that the engine found inside a patched SDK, with the exception that the SDK raised for it."""
    retried = inner.sdk_retries or (inner.status is None and inner.category is not Category.FATAL)
    return replace(inner, error=error, sdk_retries=retried)


def _cause_named(reason: str) -> Cause:
    try:
        return Cause(reason)
    except ValueError:  # the user's code created the exception, with another reason
        return Cause.TRUNCATED


def exception(
    failure: Failure, context: ErrorContext, request_adapter: CallAdapter | None = None, *, opened: bool
) -> BaseException:
    """Return the exception for the user: the source's own, or for a broken answer an exception that is also a
    `StreamInterrupted`. ``request_adapter``: that of the attempt's request, if a patched SDK sent it."""
    error, fields = failure.error, context.fields(failure)
    if isinstance(error, StreamInterrupted):
        return context.conclude(fill(error, fields), failure)
    if error is not None and (not opened or failure.status is not None or isinstance(error, UnknownStreamError)):
        return context.conclude(error, failure)
    message = context.describe(failure)
    if isinstance(error, Exception):
        broken = interruption(error, **fields)
        broken.args = (message,)
        broken.__cause__ = error
        return broken
    kinds: tuple[type[BaseException], ...] = ()
    if failure.cause in TIMEOUT_CAUSES:
        kinds = (TimeoutError,)
    elif failure.category is Category.NETWORK:
        kinds = (ConnectionError,)
    of_sdk = request_adapter.exception(failure, context) if request_adapter is not None else None
    return interruption(StreamInterrupted(message), *kinds, *_sdk_classes(of_sdk), original=of_sdk, **fields)


def _sdk_classes(error: BaseException | None) -> tuple[type[BaseException], ...]:
    """Return the classes of the SDK that an exception of a patched SDK has."""
    if error is None:
        return ()
    return type(error).__bases__[1:] if isinstance(error, StreamInterrupted) else (type(error),)
