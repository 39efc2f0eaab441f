"""Read from response headers how long a server asks its client to wait, in seconds."""

from __future__ import annotations

import email.utils
import re
import time
from collections.abc import Mapping
from datetime import datetime
from math import inf

_UNITS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_PART = re.compile(r"([0-9]+(?:\.[0-9]*)?)(d|h|ms|m|s|us|µs|ns)")
_DURATION = re.compile(rf"(?:{_PART.pattern})+")


def server_wait(headers: Mapping[str, str]) -> float | None:
    """Return the requested wait, in seconds; without one, the time until an exhausted rate limit is reset.

    ``None`` if no header has a usable value. ``headers``: a mapping with lower-case names, or a case-insensitive one.
    """
    requested_s = requested_wait(headers)
    return _until_reset(headers) if requested_s is None else requested_s


def requested_wait(headers: Mapping[str, str]) -> float | None:
    """Return ``retry-after-ms``, or else ``Retry-After`` (seconds or a date), in seconds. The SDKs read only these
    two."""
    wait_ms = _number(headers.get("retry-after-ms"))
    if wait_ms is not None:
        return wait_ms / 1000
    text = headers.get("retry-after")
    if text is None:
        return None
    seconds = _number(text)
    return _until_date(text) if seconds is None else seconds


def _until_reset(headers: Mapping[str, str]) -> float | None:
    """Return the time, in seconds, until all exhausted limits are reset; ``None`` if no limit is exhausted.

    Servers send reset times with every response, so the ``remaining`` header of a limit decides: the limit is exhausted
    if that header is 0 or missing.
    """
    waits = []
    for name, text in headers.items():
        lower = name.lower()
        if lower.startswith("x-ratelimit-reset-"):
            wait = _duration(text)
        elif lower.startswith("anthropic-ratelimit-") and lower.endswith("-reset"):
            wait = _until_moment(text)
        else:
            continue
        if wait is not None and _exhausted(headers.get(lower.replace("-reset", "-remaining"))):
            waits.append(wait)
    return max(waits, default=None)


def _exhausted(remaining: str | None) -> bool:
    try:
        return remaining is None or float(remaining) <= 0
    except ValueError:
        return False


def _number(text: str | None) -> float | None:
    try:
        value = float(text) if text is not None else None
    except ValueError:
        return None
    return value if value is not None and 0 <= value < inf else None


def _duration(text: str) -> float | None:
    """Return the seconds in ``6m0s``, ``12ms`` or ``1h2m3.5s``, or in a bare number, which some servers send."""
    if _DURATION.fullmatch(text.strip()) is None:
        return _number(text)
    seconds = sum(float(amount) * _UNITS[unit] for amount, unit in _PART.findall(text))
    return seconds if seconds < inf else None


def _until_date(text: str) -> float | None:
    """Return the seconds until an HTTP date; 0 if it has passed."""
    try:
        moment = email.utils.parsedate_tz(text)
        return None if moment is None else max(0.0, email.utils.mktime_tz(moment) - time.time())
    except (ValueError, OverflowError, TypeError, IndexError):  # impossible dates, such as 31 February
        return None


def _until_moment(text: str) -> float | None:
    """Return the seconds until an RFC 3339 timestamp; 0 if it has passed."""
    try:
        moment = datetime.fromisoformat(text.strip().upper())  # RFC 3339 also allows "z", `fromisoformat` only "Z"
        return max(0.0, moment.timestamp() - time.time()) if moment.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None
