"""Describe litellm's requests for answers in a dialect of OpenAI or Anthropic. Others pass through unchanged."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

from l0.model.inference_request import InferenceRequest
from l0.model.provider_hosts import provider_at
from l0.stainless.messages_requests import describe_messages
from l0.stainless.openai_requests import OPERATIONS, describe_request
from l0.wrapped_sdks.wrapped_call import address_of_url

_MESSAGES = "/messages"
_PATHS = ("/chat/completions", "/responses")
"""Ends of the paths that speak OpenAI's dialects. litellm's own requests for embeddings and legacy completions go to
servers that share a path, but not the dialect."""
_HOSTS = {"api.openai.com": "openai", "api.anthropic.com": "anthropic"}
"""Hosts that are known to end their streams properly."""
_NAMES = {
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
"""Names of OpenTelemetry's conventions, and ours, for providers that litellm names otherwise."""


def describe(arguments: Mapping[str, Any]) -> InferenceRequest | None:
    """Return the inference call that a request makes; ``None`` for all others.

    ``arguments``: those of litellm's ``post``.
    """
    url = str(arguments["url"])
    path = urlsplit(url).path
    ends = [end for end in (*_PATHS, _MESSAGES) if path.endswith(end)]
    body = body_of(arguments) if ends else None
    stream = bool(arguments.get("stream"))
    if body is None or stream is not bool(body.get("stream")):
        return None
    address = address_of_url(url)
    known = _HOSTS.get(address.host)
    provider = known or provider_at(address.host, address.port) or _provider(arguments)
    if ends == [_MESSAGES]:
        named, certain = provider or "anthropic", known == "anthropic"
        return describe_messages(body, provider=named, certain=certain, stream=stream)
    options = SimpleNamespace(url=ends[0], method="post", json_data=body, extra_json=None)
    named, certain = provider or "openai", known == "openai"
    return describe_request(options, OPERATIONS, provider=named, certain=certain, stream=stream)


def body_of(arguments: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the JSON object that a request sends; ``None`` if it sends none. Bytes may be signed, so that they cannot
    be changed: they are left alone."""
    body, data = arguments.get("json"), arguments.get("data")
    if body is None and isinstance(data, str):
        body = json.loads(data)
    return body if isinstance(body, dict) else None


def with_body(arguments: Mapping[str, Any], body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a request with another body."""
    sent = {"json": dict(body)} if arguments.get("json") is not None else {"data": json.dumps(body)}
    return {**arguments, **sent}


def _provider(arguments: Mapping[str, Any]) -> str | None:
    """Return the name of the provider that litellm chose; ``None`` if the request does not say."""
    details = getattr(arguments.get("logging_obj"), "model_call_details", None)
    name = details.get("custom_llm_provider") if isinstance(details, dict) else None
    return _NAMES.get(name, name) if isinstance(name, str) and name else None
