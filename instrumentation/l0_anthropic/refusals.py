"""What Anthropic's error types mean, in a response or inside a stream; never by the text."""

from __future__ import annotations

import json
from typing import Any

from l0.model.failure import Cause, Failure

TYPES: dict[str, Cause] = {
    "invalid_request_error": Cause.BAD_REQUEST,
    "authentication_error": Cause.AUTHENTICATION,
    "permission_error": Cause.AUTHENTICATION,
    "billing_error": Cause.QUOTA,
    "not_found_error": Cause.NOT_FOUND,
    "request_too_large": Cause.BAD_REQUEST,
    "rate_limit_error": Cause.RATE_LIMIT,
    "timeout_error": Cause.REQUEST_TIMEOUT,
    "api_error": Cause.SERVER_ERROR,
    "overloaded_error": Cause.OVERLOADED,
}
"""Error ``type`` to cause. https://platform.claude.com/docs/en/api/errors"""


def error_type(body: object) -> str | None:
    """The type in ``{"type": "error", "error": {"type": ...}}``."""
    inner = body.get("error") if isinstance(body, dict) else None
    kind = inner.get("type") if isinstance(inner, dict) else None
    return kind if isinstance(kind, str) else None


def refusal(client: Any, response: Any, data: bytes) -> Failure:
    """The failure of an ``error`` event, with the exception that the SDK makes of it."""
    text = data.decode("utf-8", "replace")
    body: object = text
    try:
        body = json.loads(text)
        message = f"{body}"
    except ValueError:
        message = text or f"Error code: {response.status_code}"
    kind = error_type(body)
    return Failure(
        cause=TYPES.get(kind or "", Cause.IN_BAND_ERROR),
        detail=message,
        code=kind,
        error=client._make_status_error(message, body=body, response=response),
    )
