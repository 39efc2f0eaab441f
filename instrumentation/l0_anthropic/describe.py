"""Describe anthropic's requests for messages. Other requests pass through unchanged."""

from __future__ import annotations

from typing import Any

from l0.model.inference_request import InferenceRequest, request_body
from l0.stainless.messages_requests import describe_messages

_PATHS = frozenset({"/v1/messages", "/v1/messages?beta=true"})
_CLASSES = {"Bedrock": "aws.bedrock", "Vertex": "gcp.vertex_ai", "Foundry": "azure.ai.inference"}


def describe(client: Any, options: Any, *, stream: bool) -> InferenceRequest | None:
    """Return the inference request that the options describe; ``None`` if they describe another request."""
    if str(options.url) not in _PATHS or options.method.lower() != "post":
        return None
    provider = _provider(client)
    return describe_messages(
        request_body(options),
        provider=provider,
        certain=provider != "anthropic" or client.base_url.host == "api.anthropic.com",
        stream=stream,
        capture=_captures(client),
        tracer_provider=_own_provider(client),
    )


def _provider(client: Any) -> str:
    kind = type(client).__name__
    return next((name for part, name in _CLASSES.items() if part in kind), "anthropic")


def _captures(client: Any) -> bool:
    """Return True if the client's own OpenTelemetry settings allow content on spans."""
    return bool(getattr(getattr(client, "_otel", None), "records_content", False))


def _own_provider(client: Any) -> Any:
    """Return the tracer provider that the user gave to this client, if any. L0's spans go there, as the SDK's would."""
    settings = getattr(client, "_open_telemetry", None)
    return settings.get("tracer_provider") if isinstance(settings, dict) else None
