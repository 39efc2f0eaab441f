"""The times of a recording, for the API."""

from __future__ import annotations

from math import isfinite


def milliseconds(seconds: float) -> float:
    """Return a time in milliseconds; 0 for one that JSON cannot hold, which only a damaged file has."""
    return seconds * 1e3 if isfinite(seconds) else 0.0
