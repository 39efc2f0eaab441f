"""What statuses and chains of exceptions say of a failure, whoever raised it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from l0.model.failure import Cause

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
"""What a status says of a failure, where the body does not say more."""
GENERAL = frozenset({Cause.BAD_REQUEST, Cause.SERVER_ERROR, Cause.IN_BAND_ERROR})
"""Error types that a provider puts on many a status, such as ``invalid_request_error``: the status says more."""


def links(error: BaseException) -> Iterator[Any]:
    """The exception, and those behind it, each once."""
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        yield link
        link = link.__cause__ or link.__context__


def said(error: BaseException) -> str:
    """Its words, or its name where it has none."""
    return str(error) or type(error).__name__
