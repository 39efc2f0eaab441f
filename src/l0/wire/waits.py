"""How long a server asks to wait: the headers that say it, as seconds."""

from __future__ import annotations

import email.utils
import time
from collections.abc import Mapping


def server_wait(headers: Mapping[str, str]) -> float | None:
    """``retry-after-ms``, else ``Retry-After`` in seconds or as a date; ``None`` where neither says anything usable."""
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    given = headers.get("retry-after")
    seconds = _number(given)
    if seconds is not None or given is None:
        return seconds
    moment = email.utils.parsedate_tz(given)
    return None if moment is None else max(0.0, email.utils.mktime_tz(moment) - time.time())


def _number(text: str | None) -> float | None:
    try:
        value = float(text) if text is not None else None
    except ValueError:
        return None
    return value if value is not None and 0 <= value < float("inf") else None
