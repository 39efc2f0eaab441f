"""anthropic's own OpenTelemetry span, which makes room for ours: exactly one span a call reaches the exporter."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from l0.model.call import AttributeValue
from l0.telemetry import names

_REQUEST = (
    (("service_tier",), "anthropic.request.service_tier", str),
    (("thinking", "type"), "anthropic.thinking.type", str),
    (("thinking", "budget_tokens"), "anthropic.thinking.budget_tokens", int),
    (("output_config", "effort"), names.REQUEST_REASONING_LEVEL, str),
)
"""What the SDK's own span says of a request beyond the conventions: path in the body, attribute, type."""


def without_own_span(options: Any) -> bool:
    """Clear what makes the SDK start a span of its own. Whether there was something to clear."""
    if getattr(options, "span_name", None) is None:
        return False
    options.span_name = None
    return True


def own_attributes(body: Mapping[str, Any]) -> Iterator[tuple[str, AttributeValue]]:
    """What the SDK's own span would have said of the request."""
    for path, name, kind in _REQUEST:
        value: Any = body
        for step in path:
            value = value.get(step) if isinstance(value, Mapping) else None
        if isinstance(value, kind) and not isinstance(value, bool):
            yield name, value


def captures(client: Any) -> bool:
    """Whether the client's settings put content on spans."""
    return bool(getattr(getattr(client, "_otel", None), "records_content", False))


def own_provider(client: Any) -> Any:
    """The tracer provider that this client was given, if any: its spans, ours too, go there."""
    settings = getattr(client, "_open_telemetry", None)
    return settings.get("tracer_provider") if isinstance(settings, dict) else None


def propagates(client: Any) -> bool:
    """Whether the client's settings send the trace context along with requests."""
    settings = getattr(client, "_open_telemetry", None)
    if not isinstance(settings, dict) or getattr(client, "_tracer", None) is None:
        return False
    return bool(settings.get("propagation"))
