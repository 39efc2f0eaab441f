"""Errors that OpenAI sends inside a stream, by their code; never by their text."""

from __future__ import annotations

from collections.abc import Callable

from l0.model.failure import Cause, Failure
from l0.model.tolerant_reading import code_of, object_of

CODES: dict[str, Cause] = {
    "insufficient_quota": Cause.QUOTA,
    "billing_hard_limit_reached": Cause.QUOTA,
    "credit_balance_exhausted": Cause.QUOTA,
    "billing_not_active": Cause.QUOTA,
    "invalid_api_key": Cause.AUTHENTICATION,
    "model_not_found": Cause.NOT_FOUND,
    "context_length_exceeded": Cause.CONTEXT_LENGTH,
    "invalid_request_error": Cause.BAD_REQUEST,
    "invalid_prompt": Cause.BAD_REQUEST,
    "content_policy_violation": Cause.BAD_REQUEST,
    "image_content_policy_violation": Cause.BAD_REQUEST,
    "rate_limit_exceeded": Cause.RATE_LIMIT,
    "tokens": Cause.RATE_LIMIT,
    "requests": Cause.RATE_LIMIT,
    "slow_down": Cause.RATE_LIMIT,
    "overloaded": Cause.OVERLOADED,
    "overloaded_error": Cause.OVERLOADED,
    "server_error": Cause.SERVER_ERROR,
    "internal_error": Cause.SERVER_ERROR,
    "vector_store_timeout": Cause.SERVER_ERROR,
}
"""Error ``code`` (first) or ``type`` to cause. https://platform.openai.com/docs/guides/error-codes"""

_STATUSES = {401: Cause.AUTHENTICATION, 404: Cause.NOT_FOUND, 429: Cause.RATE_LIMIT, 529: Cause.OVERLOADED}


MakeError = Callable[[str, object], Exception]
"""Makes the SDK's own exception from a message and the error object: dialects import no SDK."""


def cause_of(*codes: object) -> Cause:
    """The cause of the first code that is known; an in-band error of another kind is taken as passing."""
    for code in codes:
        if isinstance(code, str) and code in CODES:
            return CODES[code]
        if isinstance(code, int) and not isinstance(code, bool):  # routers put the HTTP status here
            return _STATUSES.get(code) or (Cause.SERVER_ERROR if code >= 500 else Cause.BAD_REQUEST)
    return Cause.IN_BAND_ERROR


def in_band(error: object, make_error: MakeError) -> Failure:
    """Return the failure of a stream that carried ``{"error": ...}``, with the exception that the SDK raises for it."""
    fields = object_of(error)
    code, kind, message = fields.get("code"), fields.get("type"), fields.get("message")
    text = message if isinstance(message, str) and message else "An error occurred during streaming"
    return Failure(
        cause=cause_of(code, kind),
        detail=text,
        code=code_of(code, kind),
        error=make_error(text, error),
    )
