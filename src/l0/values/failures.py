"""What can go wrong with one attempt, as values: data for a decision. Exceptions are made from it at the seam."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class RetryableErrorType(StrEnum):
    """The reasons for which a retry may be asked."""

    ZERO_OUTPUT = "zero_output"
    GUARDRAIL_VIOLATION = "guardrail_violation"
    DRIFT = "drift"
    INCOMPLETE = "incomplete"
    NETWORK_ERROR = "network_error"
    TIMEOUT = "timeout"
    RATE_LIMIT = "rate_limit"
    SERVER_ERROR = "server_error"


class Category(StrEnum):
    """Who is to blame, which decides what counts against which limit."""

    NETWORK = "network"
    TRANSIENT = "transient"
    MODEL = "model"
    CONTENT = "content"
    PROVIDER = "provider"
    FATAL = "fatal"
    INTERNAL = "internal"


class Cause(StrEnum):
    """A bounded set, fit for a metric attribute. The rows are those of the failure catalogue."""

    RATE_LIMIT = "rate_limit"
    QUOTA = "quota_exhausted"
    OVERLOADED = "overloaded"
    SERVER_ERROR = "server_error"
    UNAVAILABLE = "unavailable"
    NOT_IMPLEMENTED = "not_implemented"
    REQUEST_TIMEOUT = "request_timeout"
    CONFLICT = "conflict"
    AUTHENTICATION = "authentication"
    NOT_FOUND = "not_found"
    CONTEXT_LENGTH = "context_length"
    BAD_REQUEST = "bad_request"
    CONNECTION = "connection"
    DNS = "dns"
    TLS_CERTIFICATE = "tls_certificate"
    REDIRECTS = "redirects"
    NO_HEADERS = "no_headers"
    READ_TIMEOUT = "read_timeout"
    FIRST_CONTENT_TIMEOUT = "first_content_timeout"
    STALLED = "stalled"
    DEAD = "dead"
    TOTAL_TIMEOUT = "total_timeout"
    RESET = "reset"
    INCOMPLETE_READ = "incomplete_read"
    CORRUPT = "corrupt"
    TRUNCATED = "truncated"
    EMPTY = "empty"
    NOT_A_STREAM = "not_a_stream"
    MALFORMED = "malformed"
    OUT_OF_ORDER = "out_of_order"
    IN_BAND_ERROR = "in_band_error"
    GUARDRAIL_VIOLATION = "guardrail_violation"
    DRIFT = "drift"
    DIVERGED = "diverged"
    BREAKER_OPEN = "breaker_open"
    INTERNAL = "internal"
    """Our own code broke, not the provider's or the user's."""
    UNKNOWN = "unknown"


CATEGORIES: dict[Cause, Category] = {
    Cause.RATE_LIMIT: Category.TRANSIENT,
    Cause.QUOTA: Category.FATAL,
    Cause.OVERLOADED: Category.TRANSIENT,
    Cause.SERVER_ERROR: Category.TRANSIENT,
    Cause.UNAVAILABLE: Category.TRANSIENT,
    Cause.NOT_IMPLEMENTED: Category.FATAL,
    Cause.REQUEST_TIMEOUT: Category.TRANSIENT,
    Cause.CONFLICT: Category.TRANSIENT,
    Cause.AUTHENTICATION: Category.FATAL,
    Cause.NOT_FOUND: Category.FATAL,
    Cause.CONTEXT_LENGTH: Category.FATAL,
    Cause.BAD_REQUEST: Category.FATAL,
    Cause.CONNECTION: Category.NETWORK,
    Cause.DNS: Category.NETWORK,
    Cause.TLS_CERTIFICATE: Category.FATAL,
    Cause.REDIRECTS: Category.FATAL,
    Cause.NO_HEADERS: Category.NETWORK,
    Cause.READ_TIMEOUT: Category.NETWORK,
    Cause.FIRST_CONTENT_TIMEOUT: Category.TRANSIENT,
    Cause.STALLED: Category.TRANSIENT,
    Cause.DEAD: Category.NETWORK,
    Cause.TOTAL_TIMEOUT: Category.FATAL,
    Cause.RESET: Category.NETWORK,
    Cause.INCOMPLETE_READ: Category.NETWORK,
    Cause.CORRUPT: Category.PROVIDER,
    Cause.TRUNCATED: Category.NETWORK,
    Cause.EMPTY: Category.MODEL,
    Cause.NOT_A_STREAM: Category.PROVIDER,
    Cause.MALFORMED: Category.PROVIDER,
    Cause.OUT_OF_ORDER: Category.PROVIDER,
    Cause.IN_BAND_ERROR: Category.TRANSIENT,
    Cause.GUARDRAIL_VIOLATION: Category.CONTENT,
    Cause.DRIFT: Category.CONTENT,
    Cause.DIVERGED: Category.FATAL,
    Cause.BREAKER_OPEN: Category.FATAL,
    Cause.INTERNAL: Category.INTERNAL,
    Cause.UNKNOWN: Category.FATAL,
}

_TIMEOUTS = (
    Cause.NO_HEADERS,
    Cause.READ_TIMEOUT,
    Cause.FIRST_CONTENT_TIMEOUT,
    Cause.STALLED,
    Cause.DEAD,
    Cause.REQUEST_TIMEOUT,
    Cause.TOTAL_TIMEOUT,
)
_NETWORK = (Cause.CONNECTION, Cause.DNS, Cause.RESET, Cause.INCOMPLETE_READ, Cause.CORRUPT)
_INCOMPLETE = (Cause.TRUNCATED, Cause.MALFORMED, Cause.OUT_OF_ORDER, Cause.NOT_A_STREAM)

RETRY_REASONS: dict[Cause, RetryableErrorType] = (
    dict.fromkeys(Cause, RetryableErrorType.SERVER_ERROR)
    | dict.fromkeys(_TIMEOUTS, RetryableErrorType.TIMEOUT)
    | dict.fromkeys(_NETWORK, RetryableErrorType.NETWORK_ERROR)
    | dict.fromkeys(_INCOMPLETE, RetryableErrorType.INCOMPLETE)
    | {
        Cause.RATE_LIMIT: RetryableErrorType.RATE_LIMIT,
        Cause.EMPTY: RetryableErrorType.ZERO_OUTPUT,
        Cause.GUARDRAIL_VIOLATION: RetryableErrorType.GUARDRAIL_VIOLATION,
        Cause.DRIFT: RetryableErrorType.DRIFT,
    }
)
"""Which of the user's retry reasons a cause belongs to."""

TIMEOUT_CAUSES = frozenset(_TIMEOUTS)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Failure:
    """Why one attempt failed.

    ``status``: HTTP status, where there was one. ``code``: the provider's error code or type. ``retry_after``: seconds
    that the server asked to wait. ``sdk_retries``: whether the bare SDK would repeat the request. ``error``: the
    exception that the bare SDK would have let through; ``None`` where it would have stayed silent. ``typed``: the
    failure reaches the user as one of the SDK's own typed events, so no exception may follow it.
    """

    cause: Cause
    message: str
    status: int | None = None
    code: str | None = None
    retry_after: float | None = None
    sdk_retries: bool = False
    error: BaseException | None = None
    typed: bool = False
    request_id: str | None = None
    category: Category | None = None

    def __post_init__(self) -> None:
        if self.category is None:
            object.__setattr__(self, "category", CATEGORIES[self.cause])

    def __str__(self) -> str:
        parts = [self.cause.value]
        if self.status is not None:
            parts.append(f"status {self.status}")
        if self.code:
            parts.append(self.code)
        return f"{' '.join(parts)}: {self.message}"
