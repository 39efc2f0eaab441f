"""Read the provider's id of a request from the headers of its answer."""

from __future__ import annotations

from collections.abc import Mapping

REQUEST_ID_HEADERS = ("x-request-id", "request-id", "x-amzn-requestid")
"""The headers with the id that OpenAI, Anthropic or Amazon gave a request."""


def request_id_of(headers: Mapping[str, str]) -> str | None:
    """Return the id that OpenAI, Anthropic or Amazon gave a request; ``None`` if the headers have none."""
    return next(filter(None, map(headers.get, REQUEST_ID_HEADERS)), None)
