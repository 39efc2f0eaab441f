"""anthropic's own OpenTelemetry span, which makes room for ours: exactly one span a call reaches the exporter."""

from __future__ import annotations

from typing import Any


def without_own_span(options: Any) -> bool:
    """Clear what makes the SDK start a span of its own. Whether there was something to clear."""
    if getattr(options, "span_name", None) is None:
        return False
    options.span_name = None
    return True


def propagates(client: Any) -> bool:
    """Whether the client's settings send the trace context along with requests."""
    settings = getattr(client, "_open_telemetry", None)
    return isinstance(settings, dict) and bool(settings.get("propagation"))
