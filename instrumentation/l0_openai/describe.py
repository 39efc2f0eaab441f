"""Describe openai's requests. The class and the host of the client identify the provider."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from l0.model.inference_request import InferenceRequest
from l0.stainless.openai_requests import OPERATIONS, describe_request

_HOSTS = {
    "api.openai.com": "openai",
    "api.deepseek.com": "deepseek",
    "api.groq.com": "groq",
    "api.mistral.ai": "mistral_ai",
    "api.x.ai": "x_ai",
    "api.perplexity.ai": "perplexity",
    "api.cohere.ai": "cohere",
    "generativelanguage.googleapis.com": "gcp.gemini",
    "openrouter.ai": "openrouter",
    "api.together.xyz": "together_ai",
    "api.fireworks.ai": "fireworks_ai",
}
_SUFFIXES = {
    ".openai.azure.com": "azure.ai.openai",
    ".services.ai.azure.com": "azure.ai.openai",
    ".api.openai.com": "openai",
    ".amazonaws.com": "aws.bedrock",
}


def describe(client: Any, options: Any, *, stream: bool) -> InferenceRequest | None:
    """Return the inference request that the options describe; ``None`` if they describe another request."""
    kind, host = type(client).__name__, client.base_url.host
    certain = _certain(kind, host)
    return describe_request(options, OPERATIONS, provider=provider_of(kind, host), certain=certain, stream=stream)


@lru_cache(maxsize=256)
def provider_of(kind: str, host: str) -> str:
    """Return the provider's name in the OpenTelemetry conventions, by the client's class, else by its host."""
    if "Azure" in kind:
        return "azure.ai.openai"
    if "Bedrock" in kind:
        return "aws.bedrock"
    if host in _HOSTS:
        return _HOSTS[host]
    return next((name for suffix, name in _SUFFIXES.items() if host.endswith(suffix)), "openai")


@lru_cache(maxsize=256)
def _certain(kind: str, host: str) -> bool:
    """Return True for the provider's own hosts. A compatible server elsewhere may end its streams differently."""
    return (
        provider_of(kind, host) == "azure.ai.openai" or _HOSTS.get(host) == "openai" or host.endswith(".api.openai.com")
    )
