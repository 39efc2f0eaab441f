"""Errors that providers report, in a response or inside a stream: classified by code, never by text."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from l0.model.failure import Cause, Failure
from l0.model.tolerant_reading import code_of, object_of

ERROR_CODES: dict[str, Cause] = {
    # OpenAI: https://platform.openai.com/docs/guides/error-codes
    "insufficient_quota": Cause.QUOTA,
    "billing_hard_limit_reached": Cause.QUOTA,
    "credit_balance_exhausted": Cause.QUOTA,
    "billing_not_active": Cause.QUOTA,
    "invalid_api_key": Cause.AUTHENTICATION,
    "model_not_found": Cause.NOT_FOUND,
    "context_length_exceeded": Cause.CONTEXT_LENGTH,
    "invalid_prompt": Cause.BAD_REQUEST,
    "content_policy_violation": Cause.BAD_REQUEST,
    "image_content_policy_violation": Cause.BAD_REQUEST,
    "rate_limit_exceeded": Cause.RATE_LIMIT,
    "tokens": Cause.RATE_LIMIT,
    "requests": Cause.RATE_LIMIT,
    "slow_down": Cause.RATE_LIMIT,
    "overloaded": Cause.OVERLOADED,
    "server_error": Cause.SERVER_ERROR,
    "internal_error": Cause.SERVER_ERROR,
    "vector_store_timeout": Cause.SERVER_ERROR,
    # Anthropic: https://platform.claude.com/docs/en/api/errors
    "authentication_error": Cause.AUTHENTICATION,
    "permission_error": Cause.AUTHENTICATION,
    "billing_error": Cause.QUOTA,
    "not_found_error": Cause.NOT_FOUND,
    "request_too_large": Cause.BAD_REQUEST,
    "rate_limit_error": Cause.RATE_LIMIT,
    "timeout_error": Cause.REQUEST_TIMEOUT,
    "api_error": Cause.SERVER_ERROR,
    # Both
    "invalid_request_error": Cause.BAD_REQUEST,
    "overloaded_error": Cause.OVERLOADED,
}
"""An error's ``code`` (first) or ``type`` to its cause."""

STATUSES: dict[int, Cause] = {
    400: Cause.BAD_REQUEST,
    401: Cause.AUTHENTICATION,
    402: Cause.QUOTA,
    403: Cause.AUTHENTICATION,
    404: Cause.NOT_FOUND,
    408: Cause.REQUEST_TIMEOUT,
    409: Cause.CONFLICT,
    413: Cause.BAD_REQUEST,
    422: Cause.BAD_REQUEST,
    429: Cause.RATE_LIMIT,
    501: Cause.NOT_IMPLEMENTED,
    503: Cause.UNAVAILABLE,
    504: Cause.UNAVAILABLE,
    529: Cause.OVERLOADED,
}
_GENERAL = frozenset({Cause.BAD_REQUEST, Cause.SERVER_ERROR, Cause.IN_BAND_ERROR})
"""Causes of types that a provider uses with many statuses, such as ``invalid_request_error``: the status says more."""

MakeError = Callable[[str, object], Exception]
"""Makes the SDK's own exception from a message and the error object, since dialects import no SDK."""


def cause_of_codes(*codes: object) -> Cause:
    """Return the cause of the first known code. Any other error inside a stream is taken as transient."""
    for code in codes:
        if isinstance(code, str) and code in ERROR_CODES:
            return ERROR_CODES[code]
        if isinstance(code, int) and not isinstance(code, bool):  # routers put the HTTP status here
            return cause_of_status(code)
    return Cause.IN_BAND_ERROR


def cause_of_status(status: int, *codes: object) -> Cause:
    """Return the cause of an error response; ``codes``: of its body."""
    known = next((ERROR_CODES[code] for code in codes if isinstance(code, str) and code in ERROR_CODES), None)
    if known is not None and known not in _GENERAL:
        return known
    return STATUSES.get(status, known or (Cause.SERVER_ERROR if status >= 500 else Cause.BAD_REQUEST))


def codes_in(body: object) -> tuple[object, object]:
    """Return code and type of an error object, or of a body ``{"error": {...}}`` around one."""
    outer = object_of(body)
    fields = object_of(outer.get("error")) or outer
    return fields.get("code"), fields.get("type")


def in_band(error: object, make_error: MakeError) -> Failure:
    """Return the failure of a stream that carried ``{"error": ...}``, with the exception that the SDK raises for it."""
    message = object_of(error).get("message")
    text = message if isinstance(message, str) and message else "An error occurred during streaming"
    return _failure(text, error, make_error)


def error_event(data: bytes, make_error: MakeError, otherwise: str) -> Failure:
    """Return the failure of an ``error`` event of messages. ``otherwise``: the message where it carries nothing."""
    text = data.decode("utf-8", "replace")
    body: Any = text
    try:
        body = json.loads(text)
        message = f"{body}"
    except ValueError:
        message = text or otherwise
    return _failure(message, body, make_error)


def _failure(message: str, body: object, make_error: MakeError) -> Failure:
    codes = codes_in(body)
    return Failure(cause=cause_of_codes(*codes), detail=message, code=code_of(*codes), error=make_error(message, body))
