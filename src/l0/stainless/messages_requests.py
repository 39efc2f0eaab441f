"""Describe requests to the Messages API, from their bodies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from l0.model.call import AttributeValue, RetrySafety
from l0.model.inference_request import InferenceRequest
from l0.stainless.request_attributes import request_attributes
from l0.telemetry import names

_PARAMETERS = (
    ("temperature", names.REQUEST_TEMPERATURE, float),
    ("top_p", names.REQUEST_TOP_P, float),
    ("top_k", names.REQUEST_TOP_K, int),
    ("max_tokens", names.REQUEST_MAX_TOKENS, int),
)

_SDK_ATTRIBUTES = (
    (("service_tier",), "anthropic.request.service_tier", str),
    (("thinking", "type"), "anthropic.thinking.type", str),
    (("thinking", "budget_tokens"), "anthropic.thinking.budget_tokens", int),
    (("output_config", "effort"), names.REQUEST_REASONING_LEVEL, str),
)
"""Attributes of the SDK's own span beyond the conventions: path in the body, attribute, type."""


def describe_messages(
    body: Mapping[str, Any],
    *,
    provider: str,
    certain: bool,
    stream: bool,
    capture: bool = False,
    tracer_provider: Any = None,
) -> InferenceRequest:
    """Return the inference call that a body requests. The parameters are as in `InferenceRequest`."""
    return InferenceRequest(
        dialect="messages",
        operation="chat",
        provider=provider,
        model=str(body.get("model") or ""),
        retry_safety=RetrySafety.UNTIL_ACCEPTED if _server_side(body) else RetrySafety.SAFE,
        body=body,
        attributes=_attributes(body, stream=stream),
        resumable=not (body.get("output_format") or body.get("output_config")),
        capture=capture,
        tracer_provider=tracer_provider,
        certain=certain,
    )


def _server_side(body: Mapping[str, Any]) -> bool:
    """Return True for containers, MCP servers and server tools: their side effects must not happen twice."""
    if body.get("container") or body.get("mcp_servers"):
        return True
    tools = body.get("tools")
    if not isinstance(tools, list | tuple):
        return False
    return any(isinstance(tool, Mapping) and tool.get("type") not in (None, "custom") for tool in tools)


def _attributes(body: Mapping[str, Any], *, stream: bool) -> dict[str, AttributeValue]:
    attributes = request_attributes(body, _PARAMETERS, body.get("stop_sequences"), stream=stream)
    attributes.update(_sdk_attributes(body))
    return attributes


def _sdk_attributes(body: Mapping[str, Any]) -> Iterator[tuple[str, AttributeValue]]:
    """Yield the attributes that the SDK's own span would have."""
    for path, name, kind in _SDK_ATTRIBUTES:
        value: Any = body
        for step in path:
            value = value.get(step) if isinstance(value, Mapping) else None
        if isinstance(value, kind) and not isinstance(value, bool):
            yield name, value
