"""Map network failures to the fields of `ErrorTypeDelays`, which set the base delay of a retry."""

from __future__ import annotations

from .failure import Cause, Failure
from .policy import ErrorTypeDelays, Retry

ERROR_TYPES: dict[Cause, str] = {
    Cause.CONNECTION: "fetch_error",
    Cause.DNS: "dns_error",
    Cause.TLS_CERTIFICATE: "ssl_error",
    Cause.NO_HEADERS: "timeout",
    Cause.READ_TIMEOUT: "timeout",
    Cause.FIRST_CONTENT_TIMEOUT: "timeout",
    Cause.STALLED: "timeout",
    Cause.DEAD: "no_bytes",
    Cause.RESET: "econnreset",
    Cause.INCOMPLETE_READ: "connection_dropped",
    Cause.TRUNCATED: "sse_aborted",
    Cause.CORRUPT: "partial_chunks",
    Cause.MALFORMED: "partial_chunks",
    Cause.UNKNOWN: "unknown",
}
"""Fields of `ErrorTypeDelays` by cause. The other causes mean that a response arrived (a status, an error event, an
empty text), so the network did not fail. No cause maps to ``runtime_killed`` and ``background_throttle``: they occur in
browsers and edge runtimes only, and are accepted because L0 for Python has them."""

_OS_ERROR_TYPES: dict[type[OSError], str] = {ConnectionRefusedError: "econnrefused", ConnectionResetError: "econnreset"}


def error_type(failure: Failure) -> str | None:
    """Return the field of `ErrorTypeDelays` for ``failure``; ``None`` if the network did not fail."""
    if failure.status is not None:
        return None
    kind = connection_error(failure.error) if failure.cause is Cause.CONNECTION else None
    return ERROR_TYPES.get(failure.cause) if kind is None else _OS_ERROR_TYPES[kind]


def connection_error(error: BaseException | None) -> type[OSError] | None:
    """Return the class of the operating system's error that caused ``error``, if that class has its own delay."""
    return next((kind for kind in _OS_ERROR_TYPES if _caused_by(error, kind)), None)


def error_type_delay(retry: Retry, failure: Failure) -> float | None:
    """Return the delay, in seconds, that replaces ``retry.base_delay`` after ``failure``; ``None`` if none does."""
    name = error_type(failure)
    if name is None or not isinstance(retry.error_type_delays, ErrorTypeDelays):
        return None
    delay_s: float = getattr(retry.error_type_delays, name)
    return delay_s


def _caused_by(error: BaseException | None, kind: type[OSError], max_depth: int = 16) -> bool:
    """Return True if the chain of causes contains an error of this ``kind``, alone or in an exception group.

    Transports raise a group if every address of a host failed.
    """
    if error is None or max_depth == 0:
        return False
    if isinstance(error, kind):
        return True
    parts = error.exceptions if isinstance(error, BaseExceptionGroup) else ()
    return any(_caused_by(link, kind, max_depth - 1) for link in (error.__cause__ or error.__context__, *parts))
