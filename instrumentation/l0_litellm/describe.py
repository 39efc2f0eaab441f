"""Describe litellm's inference requests in a dialect of OpenAI or Anthropic. Others pass through unchanged."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

from l0.model.inference_request import InferenceRequest
from l0.model.provider_hosts import provider_at
from l0.stainless.messages_requests import describe_messages
from l0.stainless.openai_api_instrumentor import OPERATIONS
from l0.stainless.openai_requests import describe_request
from l0.wrapped_sdks.wrapped_call import address_of_url

_MESSAGES = "/messages"
_PATH_ENDS = ("/chat/completions", "/responses")
"""Ends of the paths of OpenAI's dialects. Those of embeddings and legacy completions are missing: litellm sends such
requests also to servers with the same path, but another dialect."""
_OWN_HOSTS = {"api.openai.com": "openai", "api.anthropic.com": "anthropic"}
"""The providers' own hosts. They always send the terminal event of their dialect."""
_PROVIDER_NAMES = {
    "azure": "azure.ai.openai",
    "azure_ai": "azure.ai.inference",
    "bedrock": "aws.bedrock",
    "gemini": "gcp.gemini",
    "mistral": "mistral_ai",
    "moonshot": "moonshot_ai",
    "nvidia_nim": "nvidia",
    "vertex_ai": "gcp.vertex_ai",
    "watsonx": "ibm.watsonx.ai",
    "xai": "x_ai",
}
"""Providers whose name in OpenTelemetry's conventions, or in L0, differs from litellm's: that name by litellm's."""


def describe(arguments: Mapping[str, Any]) -> InferenceRequest | None:
    """Return the inference request that ``post`` of litellm's HTTP handlers sends; ``None`` if it sends another one.

    ``arguments``: the arguments of ``post``, by name.
    """
    url = str(arguments["url"])
    path = urlsplit(url).path
    matching_ends = [end for end in (*_PATH_ENDS, _MESSAGES) if path.endswith(end)]
    body = body_of(arguments) if matching_ends else None
    stream = bool(arguments.get("stream"))
    if body is None or stream is not bool(body.get("stream")):
        return None  # another request, or one whose answer litellm does not read in the form that the body asks for
    address = address_of_url(url)
    owner = _OWN_HOSTS.get(address.host)
    provider = owner or provider_at(address.host, address.port) or _provider(arguments)
    if matching_ends == [_MESSAGES]:
        sends_terminal_event = owner == "anthropic"
        return describe_messages(body, provider=provider or "anthropic", certain=sends_terminal_event, stream=stream)
    options = SimpleNamespace(url=matching_ends[0], method="post", json_data=body, extra_json=None)
    sends_terminal_event = owner == "openai"
    return describe_request(
        options, OPERATIONS, provider=provider or "openai", certain=sends_terminal_event, stream=stream
    )


def body_of(arguments: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the JSON object that a request sends; ``None`` if it sends none. Also ``None`` for bytes: they may be
    signed, so L0 must not change them."""
    body, data = arguments.get("json"), arguments.get("data")
    if body is None and isinstance(data, str):
        try:
            body = json.loads(data)
        except ValueError:
            return None
    return body if isinstance(body, dict) else None


def with_body(arguments: Mapping[str, Any], body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a request with another body."""
    sent = {"json": dict(body)} if arguments.get("json") is not None else {"data": json.dumps(body)}
    return {**arguments, **sent}


def _provider(arguments: Mapping[str, Any]) -> str | None:
    """Return the name of the provider that litellm chose; ``None`` if the request does not say."""
    details = getattr(arguments.get("logging_obj"), "model_call_details", None)
    name = details.get("custom_llm_provider") if isinstance(details, dict) else None
    return _PROVIDER_NAMES.get(name, name) if isinstance(name, str) and name else None
