"""Classify errors that providers report, in a response or inside a stream: by code, never by text."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from l0.model.failure import Cause, Failure
from l0.model.tolerant_reading import code_of, object_of, objects_in, text_of

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
    # LiteLLM, vLLM and SGLang: names of Python exceptions
    "BadRequestError": Cause.BAD_REQUEST,
    "UnprocessableEntityError": Cause.BAD_REQUEST,
    "ContentPolicyViolationError": Cause.BAD_REQUEST,
    "ContextWindowExceededError": Cause.CONTEXT_LENGTH,
    "AuthenticationError": Cause.AUTHENTICATION,
    "PermissionDeniedError": Cause.AUTHENTICATION,
    "NotFoundError": Cause.NOT_FOUND,
    "RateLimitError": Cause.RATE_LIMIT,
    "BudgetExceededError": Cause.QUOTA,
    "InternalServerError": Cause.SERVER_ERROR,
    "ServiceUnavailableError": Cause.UNAVAILABLE,
    # text-generation-inference
    "validation": Cause.BAD_REQUEST,
    "template_error": Cause.BAD_REQUEST,
    "tool_error": Cause.BAD_REQUEST,
    # Google: https://cloud.google.com/apis/design/errors
    "INVALID_ARGUMENT": Cause.BAD_REQUEST,
    "FAILED_PRECONDITION": Cause.BAD_REQUEST,
    "OUT_OF_RANGE": Cause.BAD_REQUEST,
    "UNAUTHENTICATED": Cause.AUTHENTICATION,
    "PERMISSION_DENIED": Cause.AUTHENTICATION,
    "NOT_FOUND": Cause.NOT_FOUND,
    "RESOURCE_EXHAUSTED": Cause.RATE_LIMIT,
    "INTERNAL": Cause.SERVER_ERROR,
    "UNAVAILABLE": Cause.UNAVAILABLE,
    "DEADLINE_EXCEEDED": Cause.REQUEST_TIMEOUT,
    # Amazon Bedrock
    "validationException": Cause.BAD_REQUEST,
    "ValidationException": Cause.BAD_REQUEST,
    "AccessDeniedException": Cause.AUTHENTICATION,
    "ResourceNotFoundException": Cause.NOT_FOUND,
    "throttlingException": Cause.RATE_LIMIT,
    "ThrottlingException": Cause.RATE_LIMIT,
    "ServiceQuotaExceededException": Cause.QUOTA,
    "modelStreamErrorException": Cause.SERVER_ERROR,
    "internalServerException": Cause.SERVER_ERROR,
    "serviceUnavailableException": Cause.UNAVAILABLE,
}
"""The cause of each error ``code`` or ``type``. If an error has both and both are listed, its code decides."""

_STATUS_CAUSES: dict[int, Cause] = {
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
"""Causes that are less specific than an HTTP status. Providers send their types with many statuses: OpenAI sends
``invalid_request_error`` with 400, 401 and 404."""

_CODES = ("code", "error_code", "http_status_code", "status_code")
_TYPES = ("type", "error_type")
_EXPLANATION_FIELDS = ("detail", "message", "error_msg", "status_msg", "errors")
"""Fields with the explanation of an error."""
_SDK_MESSAGE = "An error occurred during streaming"
"""The openai SDK's message of an error without one."""
_ANSWER_FIELDS = frozenset({"choices", "output", "content", "data", "response", "delta", "usage"})
"""Fields of answers. A body with one of them is an error only if it has an error object, or the mark of an error."""

FAILURE_REASONS = frozenset({"error", "abort", "network_error", "insufficient_system_resource"})
"""Finish reasons that state a failure of the provider: of routers, vLLM, GLM and DeepSeek."""

_ABOUT_THE_REQUEST = re.compile(
    r"(unsupported|invalid)_(?!response|output|answer|state)"
    r"|unknown_(parameter|field|model)|missing_(required|parameter|field)"
    r"|image_(too_(large|small)|parse_error|file_(too_large|not_found))|empty_image|data_residency"
    r"|(string|integer|array|object)_(above|below)_|.*(policy(_violation)?|_not_supported)$"
)
"""Codes that blame the request, in snake case. A pattern, because providers keep adding such codes.

OpenAI lists its codes in https://platform.openai.com/docs/api-reference/responses/object (``error.code``)."""
_WORD_BOUNDARY = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|[\s-]+")

MakeError = Callable[[str, object], Exception]
"""Makes the SDK's own exception from a message and the error object, since dialects import no SDK."""


def cause_of_codes(*codes: object) -> Cause:
    """Return the cause that the code and the type of an error name; ``IN_BAND_ERROR``, which is transient, if neither
    does.

    The first one that is known decides. But a specific cause of `ERROR_CODES` comes before an HTTP status, and before a
    code that only looks like one that blames the request.
    """
    listed = _listed_cause(codes)
    if listed is not None and listed not in _GENERAL:
        return listed
    for code in codes:
        if isinstance(code, str) and code in ERROR_CODES:
            return ERROR_CODES[code]
        status = _status_in(code)
        if status is not None:
            return cause_of_status(status, *codes)
        if _blames_the_request(code):
            return Cause.BAD_REQUEST
    return Cause.IN_BAND_ERROR


def _listed_cause(codes: Iterable[object]) -> Cause | None:
    return next((ERROR_CODES[code] for code in codes if isinstance(code, str) and code in ERROR_CODES), None)


def _blames_the_request(code: object) -> bool:
    return isinstance(code, str) and bool(_ABOUT_THE_REQUEST.match(_WORD_BOUNDARY.sub("_", code[:100]).lower()))


def _status_in(code: object) -> int | None:
    """Return the HTTP status in a code, ``None`` if there is none. Routers send it as a number or as text, and FastChat
    adds two digits."""
    if isinstance(code, str) and code.isdecimal() and len(code) <= 5:
        code = int(code)
    if type(code) is not int:
        return None
    status = code // 100 if 40_000 <= code < 60_000 else code  # FastChat: 40303, 50001
    return status if 400 <= status < 600 else None


def cause_of_status(status: int, *codes: object) -> Cause:
    """Return the cause of a response with this HTTP status. ``codes``: those in its body."""
    listed = _listed_cause(codes)
    if listed is not None and listed not in _GENERAL:
        return listed
    return _STATUS_CAUSES.get(status, listed or (Cause.SERVER_ERROR if status >= 500 else Cause.BAD_REQUEST))


def codes_in(body: object) -> tuple[object, object]:
    """Return the code and the type of an error object, or of a body ``{"error": {...}}`` that contains one."""
    outer = object_of(body)
    fields = object_of(outer.get("error")) or outer
    return _first(fields, _CODES), _first(fields, _TYPES)


def _first(fields: Mapping[str, Any], names: tuple[str, ...]) -> object:
    return next((value for name in names if (value := fields.get(name))), None)


def error_in(body: Mapping[str, Any]) -> object | None:
    """Return the error that a body consists of or contains; ``None`` if it is an answer, or an event of one.

    A body without an ``error`` object is an error if it is marked as one, or if it explains one. With a ``type``, it is
    an event of an answer, unless the type is one of `ERROR_CODES`.
    """
    error = body.get("error")
    if error:
        return error  # type: ignore[no-any-return]
    if body.get("object") == "error" or body.get("type") == "error" or body.get("error_code"):  # vLLM; FastChat
        return body
    has_error_type = _listed_cause((body.get("type"),)) is not None
    status = object_of(body.get("base_resp")).get("status_code")  # MiniMax
    if status and type(status) is int and not body.get("choices"):
        return body["base_resp"]  # type: ignore[no-any-return]
    if (body.get("type") and not has_error_type) or any(body.get(name) is not None for name in _ANSWER_FIELDS):
        return None
    explains = body.get("detail") or body.get("errors") or body.get("error_msg")
    # Answers and pings have a `message` as well, so it needs a code or a type beside it.
    code = body.get("code")
    # Each gateway has its own range of error numbers. Zero and 2xx report success.
    has_number = type(code) is int and code > 0 and not 200 <= code < 300
    has_code = has_error_type or isinstance(code, str) or has_number
    return body if explains or (body.get("message") and has_code) else None


def answer_error(answer: Mapping[str, Any]) -> object | None:
    """Return the error that stands in an answer that does not stream: instead of its content, or in one of its choices.
    Return ``None`` if there is none.

    A response of the Responses API with the status ``failed`` is an answer: its error is a field of the SDK's object.
    """
    choices = answer.get("choices")
    if not choices:
        is_answer = answer.get("object") == "response" or answer.get("output") or answer.get("content")
        return None if is_answer else error_in(answer)
    if answer.get("error"):
        return answer["error"]  # type: ignore[no-any-return]
    failed = (
        each
        for each in objects_in(choices)
        if each.get("error") or text_of(each.get("finish_reason")) in FAILURE_REASONS
    )
    choice = next(failed, None)
    return None if choice is None else choice.get("error") or choice


def in_band_failure(error: object, event: Mapping[str, Any], make_error: MakeError) -> Failure:
    """Return the failure for an error in the body, with the exception that the SDK raises for it.

    ``event``: the complete body, which may have the code outside the ``error`` object.
    """
    fields = object_of(error)
    texts = (text for name in _EXPLANATION_FIELDS if isinstance(text := fields.get(name), str) and text)
    codes = codes_in(error)
    if code_of(*codes) is None:
        codes = codes_in(event)
    return _failure(next(texts, _SDK_MESSAGE), error, codes, make_error)


def error_event_failure(data: bytes, make_error: MakeError, default_message: str) -> Failure:
    """Return the failure for an ``error`` event. ``default_message``: the message if the event has no data."""
    text = data.decode("utf-8", "replace")
    body: Any = text
    try:
        body = json.loads(text)
        message = str(body)  # as in the anthropic SDK
    except ValueError:
        message = text or default_message
    return _failure(message, body, codes_in(body), make_error)


def _failure(message: str, body: object, codes: Iterable[object], make_error: MakeError) -> Failure:
    return Failure(cause=cause_of_codes(*codes), detail=message, code=code_of(*codes), error=make_error(message, body))
