"""Reduce request options to the request's content, for sending it through another client.

The options of a call may hold credentials for its server: headers, query parameters, an idempotency key. Only the
options listed here go to another client, which adds its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

RAW_HEADER = "x-stainless-raw-response"
CAST_HEADER = "____stainless_override_cast_to"
_OWN_HEADERS = frozenset({RAW_HEADER, CAST_HEADER})
"""Headers by which the SDK's methods pass the requested form of the answer to their client."""
_CONTENT = frozenset({"method", "url", "json_data", "extra_json", "content", "files"})
_HANDLING = frozenset(
    {
        "follow_redirects",
        "max_retries",
        "post_parser",
        "qualifiers",
        "security",
        "span_name",
        "stream_mode",
        "synthesize_event_and_data",
        "timeout",
    }
)
"""Options that only affect how a request is sent and its answer read. None of them identifies an account."""


def keep_content(options: Any, shared: frozenset[str]) -> None:
    """Set every option that is not content to its default. ``shared``: lower-case names of headers that are content."""
    headers = options.headers
    for name, field in type(options).model_fields.items():
        if name not in _CONTENT and name not in _HANDLING:
            setattr(options, name, field.get_default(call_default_factory=True))
    if isinstance(headers, Mapping):
        content_headers = shared | _OWN_HEADERS
        options.headers = {name: value for name, value in headers.items() if name.lower() in content_headers}


def has_model(options: Any) -> bool:
    """Return True if the body of a request is a JSON object, so that `replace_model` can change its model."""
    body = options.extra_json if options.json_data is None else options.json_data
    return isinstance(body, Mapping)


def replace_model(options: Any, model: str) -> None:
    """Set the model of a request's body, also where the user's ``extra_body`` overrides it."""
    if options.json_data is not None:
        options.json_data = {**options.json_data, "model": model}
    extra = options.extra_json
    if extra is not None and (options.json_data is None or "model" in extra):
        options.extra_json = {**extra, "model": model}
