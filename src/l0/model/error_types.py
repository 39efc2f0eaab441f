"""Which of the guide's error types a failure on the way is, and so which delay a retry after it starts from."""

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
"""Fields of `ErrorTypeDelays`. A cause that is not here is an answer (a status, an error event, an empty text): the
network did its part. Nothing maps to ``runtime_killed`` and ``background_throttle``: they happen to browsers and edge
runtimes, and are accepted because the guide names them."""

_REFINED: tuple[tuple[type[OSError], str], ...] = (
    (ConnectionRefusedError, "econnrefused"),
    (ConnectionResetError, "econnreset"),
)


def error_type(failure: Failure) -> str | None:
    """The field of `ErrorTypeDelays` for ``failure``; ``None`` where the network is not to blame."""
    if failure.status is not None:
        return None
    if failure.cause is Cause.CONNECTION:
        for kind, name in _REFINED:
            if _caused_by(failure.error, kind):
                return name
    return ERROR_TYPES.get(failure.cause)


def error_type_delay(retry: Retry, failure: Failure) -> float | None:
    """Seconds that stand in place of ``retry.base_delay`` after ``failure``; ``None`` where nothing does."""
    name = error_type(failure)
    if name is None or not isinstance(retry.error_type_delays, ErrorTypeDelays):
        return None
    seconds: float = getattr(retry.error_type_delays, name)
    return seconds


def _caused_by(error: BaseException | None, kind: type[OSError], deepest: int = 16) -> bool:
    """Whether ``kind`` is among the causes; of several addresses that were tried, any will do."""
    if error is None or deepest == 0:
        return False
    if isinstance(error, kind):
        return True
    parts = error.exceptions if isinstance(error, BaseExceptionGroup) else ()
    return any(_caused_by(link, kind, deepest - 1) for link in (error.__cause__ or error.__context__, *parts))
