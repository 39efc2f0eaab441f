"""Read the provider's id of a request from the headers of its answer."""

from __future__ import annotations

from collections.abc import Mapping


def request_id_of(headers: Mapping[str, str]) -> str | None:
    """Return the id that OpenAI, Anthropic or Amazon gave a request; ``None`` if the headers have none."""
    return headers.get("x-request-id") or headers.get("request-id") or headers.get("x-amzn-requestid")
