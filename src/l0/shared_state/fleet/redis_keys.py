"""Name what the fleet keeps in Redis."""

from __future__ import annotations

from urllib.parse import quote

KEPT_S = 3600
"""Time in s after which Redis forgets what no process uses: names of models come from requests."""


def redis_key(kind: str, *names: str) -> str:
    """Return the key of a shared thing. Different names have different keys."""
    return ":".join(("l0", kind, *(quote(name, safe="") for name in names)))
