"""Define failures of an attempt as values, so that the engine decides without exceptions. Call adapters turn them into
exceptions of the SDK."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum


class RetryableErrorType(StrEnum):
    """The retry reasons that a user may select with ``Retry.retry_on``."""

    ZERO_OUTPUT = "zero_output"
    GUARDRAIL_VIOLATION = "guardrail_violation"
    DRIFT = "drift"
    INCOMPLETE = "incomplete"
    NETWORK_ERROR = "network_error"
    TIMEOUT = "timeout"
    RATE_LIMIT = "rate_limit"
    SERVER_ERROR = "server_error"


class Category(StrEnum):
    """The party responsible for a failure. It decides which retry limit the failure counts against."""

    NETWORK = "network"
    """The connection failed."""
    TRANSIENT = "transient"
    """The provider failed or was too slow, and may serve the next attempt."""
    MODEL = "model"
    """The model wrote nothing."""
    CONTENT = "content"
    """A rule rejected the text of the model."""
    PROVIDER = "provider"
    """The provider, or a proxy in front of it, sent an answer that violates its format."""
    FATAL = "fatal"
    """Another attempt cannot succeed, or is not allowed."""
    INTERNAL = "internal"
    """A defect in L0."""


class Cause(StrEnum):
    """The cause of a failure, described in `MEANINGS`. The set is bounded, so a cause may be a metric attribute."""

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
    """A defect in L0's own code."""
    LOCAL = "local"
    """An error raised in this process: by the SDK's checks and parsers, or by the user's hooks and key functions."""
    SOURCE_ERROR = "source_error"
    """A source of the explicit API raised an exception that shows no other cause."""
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
    Cause.LOCAL: Category.FATAL,
    Cause.SOURCE_ERROR: Category.TRANSIENT,
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
"""The retry reason of each cause. ``SERVER_ERROR`` is that of every cause not listed here."""

TIMEOUT_CAUSES = frozenset(_TIMEOUTS)
RULE_CAUSES = (Cause.GUARDRAIL_VIOLATION, Cause.DRIFT)
"""Causes of failures whose code is the name of a rule."""
UNANSWERED_CAUSES = frozenset(
    {
        Cause.CONNECTION,
        Cause.DNS,
        Cause.TLS_CERTIFICATE,
        Cause.REDIRECTS,
        Cause.NO_HEADERS,
        Cause.FIRST_CONTENT_TIMEOUT,
        Cause.TOTAL_TIMEOUT,
        Cause.BREAKER_OPEN,
        Cause.UNKNOWN,
    }
)
"""Causes that can occur before a response arrives, and so without an HTTP status."""

_MESSAGES: dict[Cause, str] = {
    Cause.RATE_LIMIT: "the provider's rate limit is reached",
    Cause.QUOTA: "the quota is exhausted",
    Cause.OVERLOADED: "the provider is overloaded",
    Cause.SERVER_ERROR: "the provider failed",
    Cause.UNAVAILABLE: "the provider is not available",
    Cause.NOT_IMPLEMENTED: "the provider does not implement this request",
    Cause.REQUEST_TIMEOUT: "the provider timed out waiting for the request",
    Cause.CONFLICT: "the request conflicts with another one",
    Cause.AUTHENTICATION: "the provider refused the credentials",
    Cause.NOT_FOUND: "the provider found no such model or path",
    Cause.CONTEXT_LENGTH: "the request is longer than the model's context",
    Cause.BAD_REQUEST: "the provider refused the request",
    Cause.CONNECTION: "no connection to the provider",
    Cause.DNS: "the provider's host name was not resolved",
    Cause.TLS_CERTIFICATE: "the server's certificate was not accepted",
    Cause.REDIRECTS: "too many redirects",
    Cause.NO_HEADERS: "no response in time",
    Cause.READ_TIMEOUT: "the response stopped arriving",
    Cause.RESET: "the connection broke",
    Cause.INCOMPLETE_READ: "the connection ended within the response",
    Cause.CORRUPT: "the response's compression is corrupt",
    Cause.MALFORMED: "the response cannot be parsed",
    Cause.IN_BAND_ERROR: "the response contained an error",
    Cause.INTERNAL: "a defect in l0",
    Cause.SOURCE_ERROR: "the source raised an exception",
}
"""L0's own messages. Third-party text is kept separately in `Failure.detail`."""

MEANINGS: dict[Cause, str] = _MESSAGES | {
    Cause.CONNECTION: "no connection to the provider, or it was closed before the headers of the response",
    Cause.FIRST_CONTENT_TIMEOUT: "no content within Timeout.initial_token",
    Cause.STALLED: "no further content within Timeout.inter_token",
    Cause.DEAD: "no bytes at all within Timeout.liveness",
    Cause.TOTAL_TIMEOUT: "the whole call took longer than Timeout.total",
    Cause.TRUNCATED: "the stream ended without its terminal event",
    Cause.EMPTY: "the answer has no content",
    Cause.NOT_A_STREAM: "the server reported success, but sent no answer",
    Cause.OUT_OF_ORDER: "the events of the answer contradict each other",
    Cause.GUARDRAIL_VIOLATION: "a guardrail or a schema rejected the answer",
    Cause.DRIFT: "drift was detected",
    Cause.DIVERGED: "a resumed answer differs from the delivered part",
    Cause.BREAKER_OPEN: "the circuit breaker is open",
    Cause.LOCAL: "raised by code in your process, such as a hook or a parser",
    Cause.UNKNOWN: "not known",
    Cause.SOURCE_ERROR: "a source of the explicit API raised an exception of an unknown kind",
}
"""The meaning of every cause, for `docs/errors.md`. The message of a failure can be more specific."""

_CODE = re.compile(r"[A-Za-z]+(?:[_.:-][A-Za-z]+)*(?:[_.:-]?\d{1,4})?|\d{1,6}")
"""The format of a provider's error code. A value of another format may be free text or an API key: messages omit it."""
_MAX_CODE = 64
"""Maximum length, in characters, of a code that a message shows."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Failure:
    """The failure of one attempt.

    ``message``: L0's own text, which quotes nothing, so spans and logs may contain it. ``detail``: the text of the
    provider or the transport, which may contain keys, prompts and answers, so neither `str` nor `repr` shows it.
    ``status``: HTTP status, if there was a response. ``code``: the provider's error code or type. ``retry_after``: the
    wait, in seconds, that the server requested. ``sdk_retries``: True if the bare SDK would retry the request.
    ``error``: the exception that the bare SDK would raise; ``None`` if it would raise none. ``typed``: the user first
    gets the failure as an event object of the SDK, and the exception on reading the next event. ``policy_field``: the
    field of the policy without which there would be no failure, such as ``"Timeout.inter_token"``; empty if none is.
    """

    cause: Cause
    message: str = ""
    status: int | None = None
    code: str | None = field(default=None, repr=False)
    retry_after: float | None = None
    sdk_retries: bool = False
    error: BaseException | None = field(default=None, repr=False)
    typed: bool = False
    request_id: str | None = None
    category: Category | None = None
    detail: str = field(default="", repr=False)
    policy_field: str = ""

    def __post_init__(self) -> None:
        if self.category is None:
            object.__setattr__(self, "category", CATEGORIES[self.cause])
        if not self.message:
            object.__setattr__(self, "message", _MESSAGES.get(self.cause, self.cause.value.replace("_", " ")))

    def __str__(self) -> str:
        parts = [self.cause.value]
        if self.status is not None:
            parts.append(f"status {self.status}")
        if self.code and not self._names_code(self.code) and len(self.code) <= _MAX_CODE and _CODE.fullmatch(self.code):
            parts.append(self.code)
        return f"{' '.join(parts)}: {self.message}{f' ({self._error_name})' if self.error is not None else ''}"

    @property
    def _error_name(self) -> str:
        """The name of the exception's class. In a failure that was read from a recording, ``error`` is this name."""
        return type(self.error).__qualname__ if isinstance(self.error, BaseException) else str(self.error)

    def _names_code(self, code: str) -> bool:
        """Return True if the text contains this code anyway: as the cause, or as the rule that starts the message."""
        return code == self.cause.value or self.message.startswith(f"{code}: ")

    @property
    def full_text(self) -> str:
        """Return `str(self)` with `detail` added, for users who opted in to capturing content."""
        return f"{self}: {self.detail}" if self.detail else str(self)
