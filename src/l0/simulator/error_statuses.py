"""Look up the HTTP status with which providers send an error code in place of a whole answer."""

from .dialects.server_dialect import ErrorSpec

_STATUSES = {
    400: (
        *("invalid_request_error", "invalid_prompt", "context_length_exceeded", "content_policy_violation"),
        *("image_content_policy_violation", "billing_hard_limit_reached", "INVALID_ARGUMENT", "FAILED_PRECONDITION"),
        *(
            "OUT_OF_RANGE",
            "validationException",
            "ValidationException",
            "BadRequestError",
            "ContentPolicyViolationError",
        ),
        *("ContextWindowExceededError", "BudgetExceededError", "ServiceQuotaExceededException"),
    ),
    401: (
        *("invalid_api_key", "authentication_error", "UNAUTHENTICATED", "AuthenticationError"),
        "UnrecognizedClientException",
    ),
    402: ("billing_error",),
    403: ("permission_error", "PERMISSION_DENIED", "AccessDeniedException", "PermissionDeniedError"),
    404: ("model_not_found", "not_found_error", "NOT_FOUND", "ResourceNotFoundException", "NotFoundError"),
    408: ("ModelTimeoutException",),
    413: ("request_too_large",),
    422: ("UnprocessableEntityError", "validation", "template_error", "tool_error"),
    424: ("ModelErrorException",),
    429: (
        *("rate_limit_exceeded", "rate_limit_error", "tokens", "requests", "slow_down", "insufficient_quota"),
        *("billing_not_active", "credit_balance_exhausted", "RESOURCE_EXHAUSTED", "throttlingException"),
        *("ThrottlingException", "RateLimitError"),
    ),
    503: (
        "overloaded",
        "UNAVAILABLE",
        "serviceUnavailableException",
        "ServiceUnavailableException",
        "ServiceUnavailableError",
    ),
    504: ("timeout_error", "DEADLINE_EXCEEDED"),
    529: ("overloaded_error",),
}
_STATUS_OF_CODE = {code: status for status, codes in _STATUSES.items() for code in codes}


def status_of_error(error_spec: ErrorSpec) -> int:
    """Return the HTTP status of an error: that of its code, or else of its type; 500 if neither has another one.

    A code that is a status, as routers send it, is its own status.
    """
    for code in filter(None, (error_spec.code, error_spec.type)):
        if code.isdecimal() and 400 <= int(code[:5]) < 600:
            return int(code)
        if code in _STATUS_OF_CODE:
            return _STATUS_OF_CODE[code]
    return 500
