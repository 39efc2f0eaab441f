"""Reduce request options to the request's content, for another client than the one that was called.

What was given for one call may hold credentials for its server: headers, query parameters, an idempotency key. Only
what is listed here goes to another client, which adds its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

RAW_HEADER = "x-stainless-raw-response"
CAST_HEADER = "____stainless_override_cast_to"
_OWN_HEADERS = frozenset({RAW_HEADER, CAST_HEADER})
"""By which the SDK's methods tell its client in which form the user wants the answer."""
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
"""How the SDK sends a request and reads its answer: nothing of it names an account."""


def keep_content(options: Any, shared: frozenset[str]) -> None:
    """Set every other option to its default. ``shared``: names of headers, in lower case, that are content as well."""
    given = options.headers
    for name, field in type(options).model_fields.items():
        if name not in _CONTENT and name not in _HANDLING:
            setattr(options, name, field.get_default(call_default_factory=True))
    if isinstance(given, Mapping):
        kept = shared | _OWN_HEADERS
        options.headers = {name: value for name, value in given.items() if name.lower() in kept}
