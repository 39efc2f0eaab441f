"""Describe the operations of bedrock-runtime that request an answer of a model. Others pass through unchanged."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from l0.model.call import RetrySafety
from l0.model.inference_request import InferenceRequest
from l0.model.tolerant_reading import object_of, objects_in
from l0.stainless.messages_requests import describe_messages
from l0.stainless.request_attributes import request_attributes
from l0.telemetry import names

PROVIDER = "aws.bedrock"
CONVERSE, CONVERSE_STREAM, INVOKE_STREAM = "Converse", "ConverseStream", "InvokeModelWithResponseStream"
STREAMS: Mapping[str, str] = {CONVERSE_STREAM: "stream", INVOKE_STREAM: "body"}
"""The operations whose answers are streamed, with the field of the response that holds the stream."""
_SETTINGS = (
    ("temperature", names.REQUEST_TEMPERATURE, float),
    ("topP", names.REQUEST_TOP_P, float),
    ("maxTokens", names.REQUEST_MAX_TOKENS, int),
)
_HARMLESS_TOOLS = frozenset({"nova_grounding", "nova_code_interpreter"})
"""Tools of the server that only read or compute: a retry of them only costs tokens."""


def describe(operation: str, parameters: Mapping[str, Any]) -> InferenceRequest | None:
    """Return the inference request that an operation makes; ``None`` for other operations."""
    if operation == INVOKE_STREAM:
        body = message_body(parameters)
        if body is None:
            return None
        with_model = {"model": str(parameters.get("modelId") or ""), **body}
        return describe_messages(with_model, provider=PROVIDER, certain=True, stream=True)
    if operation not in (CONVERSE, CONVERSE_STREAM):
        return None
    settings = object_of(parameters.get("inferenceConfig"))
    streamed = operation in STREAMS
    return InferenceRequest(
        dialect="converse",
        operation="chat",
        provider=PROVIDER,
        model=str(parameters.get("modelId") or ""),
        retry_safety=RetrySafety.UNTIL_ACCEPTED if _server_side(parameters) else RetrySafety.SAFE,
        body=parameters,
        attributes=request_attributes(settings, _SETTINGS, settings.get("stopSequences"), stream=streamed),
        certain=True,  # the protocol demands a terminal event of every server
        resumable=not parameters.get("outputConfig"),
    )


def message_body(parameters: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the body of a request to an Anthropic model; ``None`` for other models, and for bodies that are files."""
    body = parameters.get("body")
    if not isinstance(body, str | bytes | bytearray):
        return None
    value = json.loads(body)
    return value if isinstance(value, dict) and "anthropic_version" in value else None


def with_body(parameters: Mapping[str, Any], body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters of a request to an Anthropic model with another body."""
    return {**parameters, "body": json.dumps(body)}


def _server_side(parameters: Mapping[str, Any]) -> bool:
    """Return True for tools of the server that are not known to be harmless: their effects must not happen twice."""
    tools = objects_in(object_of(parameters.get("toolConfig")).get("tools"))
    tool_names = (object_of(tool["systemTool"]).get("name") for tool in tools if "systemTool" in tool)
    return any(name not in _HARMLESS_TOOLS for name in tool_names)
