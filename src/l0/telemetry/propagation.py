"""Return the current trace context as headers, for calls without an observer that still propagate a trace."""

from __future__ import annotations

from opentelemetry import propagate


def current_headers() -> dict[str, str]:
    """Return the headers that the application's propagators inject; empty if one raises."""
    carrier: dict[str, str] = {}
    try:
        propagate.inject(carrier)
    except Exception:
        return {}
    return carrier
