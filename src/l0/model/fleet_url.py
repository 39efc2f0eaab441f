"""Check the address of the Redis that the processes of a fleet share."""

from __future__ import annotations

from typing import Literal
from urllib.parse import urlsplit

from .policy_error import PolicyError

_SCHEMES = ("redis", "rediss", "unix")


def fleet_url(url: object, field: str = "fleet") -> str | Literal[False] | None:
    """Return the URL of a Redis, ``False`` or ``None`` unchanged. Raises `PolicyError` for any other value."""
    if url is None or url is False:
        return url
    if not isinstance(url, str) or not _is_redis_url(url):
        raise PolicyError(field, url, "the URL of a Redis, such as redis://localhost:6379/0, rediss:// or unix://")
    return url


def _is_redis_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in _SCHEMES and (parts.port is None or parts.port > 0) and bool(parts.netloc or parts.path)
    except ValueError:  # a port that is not a number
        return False
