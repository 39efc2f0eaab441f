"""Classify an exception by type, status, code and chain of causes; never by its text.

Patched SDKs and sources of the explicit API share this classifier. Their differences are data: the classes of their
exceptions, and their retry rules.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from socket import gaierror
from traceback import walk_tb
from typing import Any

from l0.dialects.provider_errors import cause_of_codes, cause_of_status, codes_in
from l0.model.failure import Cause, Failure
from l0.model.tolerant_reading import code_of
from l0.wire.request_id import request_id_of

from .exception_links import Classes, is_a, links
from .transport_messages import transport_message

_TIMEOUTS: Classes = ("TimeoutException", "APITimeoutError", TimeoutError)
_BROKEN: tuple[tuple[Classes, Cause], ...] = (
    (_TIMEOUTS, Cause.READ_TIMEOUT),
    (("DecodingError",), Cause.CORRUPT),
    (("RemoteProtocolError", "IncompleteRead"), Cause.INCOMPLETE_READ),
)
"""Errors of HTTP libraries while a body is read. `_broken` decides about all others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExceptionClasses:
    """The meaning of the exception classes of one SDK, HTTP library or source.

    ``status``: classes that have the status of a response. ``malformed``: the received data does not parse.
    ``transport``: classes of the HTTP library, or of a layer below; they may be anywhere in the chain of causes.
    ``connection``: there was no answer, or it broke. ``provider``: the provider reported an error inside an answer.
    """

    status: Classes
    malformed: Classes = ()
    transport: Classes
    connection: Classes
    provider: Classes


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryRules:
    """The conditions under which the SDK, HTTP library or source itself would send a request again.

    ``retries``: called with the exception and its response, or ``None`` if there was none. ``wait``: returns the
    seconds that the headers of a response ask to wait.
    """

    retries: Callable[[Exception, Any], bool]
    wait: Callable[[Mapping[str, str]], float | None]


def classify(error: BaseException, classes: ExceptionClasses, rules: RetryRules, *, opened: bool) -> Failure | None:
    """Return the failure for an exception; ``None`` if it is not a failure of the request.

    ``opened``: True if the headers of the answer have arrived.
    """
    if not isinstance(error, Exception):
        return None
    status = _status_of(error, classes)
    if status is not None and status >= 400:
        return _of_status(error, status, rules)
    if is_a(error, classes.malformed):
        # A body that does not parse (a ValueError) is retried like one that breaks; one that fails the SDK's own check
        # of a schema is not.
        return Failure(cause=Cause.MALFORMED, error=error, sdk_retries=isinstance(error, ValueError))
    link = transport_error(error, classes)
    if link is not None or is_a(error, classes.connection):
        broken = error if link is None else link
        cause = _broken(broken, direct=link is not None) if opened else unreached(error, broken)
        return Failure(
            cause=cause,
            message=transport_message(cause, error),
            detail=text_of_exception(broken),
            error=error,
            sdk_retries=rules.retries(error, None),
        )
    return _in_band(error) if is_a(error, classes.provider) else None


def drop_tracebacks(error: BaseException) -> None:
    """Drop the frames that the exception and its causes keep alive.

    The innermost frames are the transport's and the event loop's, which refer to the work of other calls.
    """
    pending, seen = [error], {id(error)}
    while pending:
        link = pending.pop()
        link.__traceback__ = None
        for cause in (link.__cause__, link.__context__):
            if cause is not None and id(cause) not in seen:
                seen.add(id(cause))
                pending.append(cause)


def transport_error(error: BaseException, classes: ExceptionClasses) -> BaseException | None:
    """Return the transport's error in the chain of causes, if there is one."""
    for link in links(error):
        if is_a(link, classes.transport):
            return link
    return None


def response_in(error: BaseException, classes: tuple[type, ...]) -> Any:
    """Return the response that was being read or parsed when ``error`` was raised; ``None`` if there was none.

    ``classes``: of the transport's responses. The headers of an answer had arrived if one of their methods raised.
    """
    for link in links(error):
        for frame, _ in walk_tb(link.__traceback__):
            owner = frame.f_locals.get("self")
            if isinstance(owner, classes):
                return owner
    return None


def text_of_exception(error: BaseException) -> str:
    """Return the text of an exception, or its name if it has none."""
    return str(error) or type(error).__name__


def _status_of(error: Exception, classes: ExceptionClasses) -> int | None:
    # `connection` is checked as well, because litellm's errors have a status even if there was no response.
    if not is_a(error, classes.status) or is_a(error, classes.connection):
        return None
    status = getattr(error, "status_code", None)
    return status if type(status) is int else None


def _codes_of(error: Any) -> tuple[object, object]:
    code, kind = codes_in(getattr(error, "body", None))
    return code or getattr(error, "code", None), kind or getattr(error, "type", None)


def _of_status(error: Any, status: int, rules: RetryRules) -> Failure:
    response = getattr(error, "response", None)
    headers = getattr(response, "headers", None) or {}
    codes = _codes_of(error)
    return Failure(
        cause=cause_of_status(status, *codes),
        detail=str(getattr(error, "message", "") or text_of_exception(error)),
        status=status,
        code=code_of(*codes),
        retry_after=rules.wait(headers),
        sdk_retries=rules.retries(error, response),
        error=error,
        request_id=request_id_of(headers),
    )


def _in_band(error: Exception) -> Failure:
    codes = _codes_of(error)
    return Failure(cause=cause_of_codes(*codes), detail=text_of_exception(error), code=code_of(*codes), error=error)


def unreached(error: Exception, broken: BaseException) -> Cause:
    """Return the cause of a request that got no answer. ``broken``: the transport's error in the chain of causes."""
    for link in links(error):
        if isinstance(link, ssl.SSLCertVerificationError):
            return Cause.TLS_CERTIFICATE
        if isinstance(link, gaierror):
            return Cause.DNS
    if is_a(broken, ("TooManyRedirects",)):
        return Cause.REDIRECTS
    return Cause.NO_HEADERS if is_a(broken, _TIMEOUTS) else Cause.CONNECTION


def _broken(broken: BaseException, *, direct: bool) -> Cause:
    """Return the cause of a broken body. ``direct``: the exception comes from the transport itself, and names the
    cause."""
    otherwise = Cause.RESET if direct or isinstance(broken, ConnectionError | EOFError) else Cause.CONNECTION
    return next((cause for classes, cause in _BROKEN if is_a(broken, classes)), otherwise)
