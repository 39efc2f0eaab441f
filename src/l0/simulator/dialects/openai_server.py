"""Define the common parts of the OpenAI dialects: errors, headers, usage."""

from typing import Any

from ..sse_writer import block
from .server_dialect import AnswerIdentity, ErrorSpec, Json

_TYPES = {
    400: "invalid_request_error",
    401: "invalid_request_error",
    403: "invalid_request_error",
    404: "invalid_request_error",
    429: "requests",
}
_CODES = {
    401: "invalid_api_key",
    403: "unsupported_country_region_territory",
    404: "model_not_found",
    429: "rate_limit_exceeded",
}
_MESSAGES = {
    400: "Invalid request.",
    401: "Incorrect API key provided.",
    403: "Country, region, or territory not supported.",
    404: "The model does not exist or you do not have access to it.",
    429: "Rate limit reached. Please try again later.",
    503: "The engine is currently overloaded, please try again later.",
}
SERVER_ERROR = "The server had an error while processing your request. Sorry about that!"


def error(status: int, error_spec: ErrorSpec, _identity: AnswerIdentity) -> Json:
    """Return `{"error": {message, type, param, code}}`, with the provider's text for the status by default."""
    return {
        "error": {
            "message": error_spec.message or _MESSAGES.get(status, SERVER_ERROR),
            "type": error_spec.type or _TYPES.get(status, "server_error"),
            "param": None,
            "code": error_spec.code or _CODES.get(status),
        }
    }


def in_band(error_spec: ErrorSpec, _number: int, identity: AnswerIdentity) -> bytes:
    """Return an `error` object as an event, as chat and completions streams carry it."""
    return block(error(500, error_spec, identity))


def headers(identity: AnswerIdentity) -> Json:
    """Return the headers of a response, as api.openai.com sends them."""
    return {
        "x-request-id": f"req_{identity.digits}",
        "openai-processing-ms": "12",
        "openai-version": "2020-10-01",
        "openai-organization": "simulated-org",
        "x-ratelimit-limit-requests": "10000",
        "x-ratelimit-remaining-requests": "9999",
        "x-ratelimit-reset-requests": "6ms",
    }


def usage(prompt: int, completion: int, reasoning: int) -> Json:
    """Return the usage of chat: totals with their details."""
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": reasoning,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def find_tool(tools: Any, name: str) -> tuple[str, Json]:
    """Return the name and the schema of the tool ``name``; of the first tool if ``name`` is empty.

    The tools are in chat or Responses format. The schema is {} if there is no such tool.
    """
    for tool in tools or []:
        function = tool.get("function", tool)
        if isinstance(function, dict) and (not name or function.get("name") == name):
            return function.get("name", ""), function.get("parameters") or {}
    return name, {}
