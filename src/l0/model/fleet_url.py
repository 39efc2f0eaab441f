"""Check the address of the Redis that the processes of a fleet share."""

from __future__ import annotations

from typing import Literal
from urllib.parse import urlsplit

from .policy_error import PolicyError

_SCHEMES = ("redis", "rediss", "unix")


def fleet_url(given: object, field: str = "fleet") -> str | Literal[False] | None:
    """Return a URL, ``False`` or ``None`` as it is. Raises `PolicyError` for anything else."""
    if given is None or given is False:
        return given
    if not isinstance(given, str) or not _is_redis(given):
        raise PolicyError(field, given, "the URL of a Redis, such as redis://localhost:6379/0, rediss:// or unix://")
    return given


def _is_redis(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in _SCHEMES and (parts.port is None or parts.port > 0) and bool(parts.netloc or parts.path)
    except ValueError:  # a port that is not a number
        return False
