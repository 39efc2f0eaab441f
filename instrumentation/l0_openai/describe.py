"""Describe openai's requests. The class and the host of the client identify the provider."""

from __future__ import annotations

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
    """Return the inference call that a request makes; ``None`` for all others."""
    provider = provider_of(client)
    return describe_request(options, OPERATIONS, provider=provider, certain=_certain(client, provider), stream=stream)


def provider_of(client: Any) -> str:
    """Return the provider's name in the OpenTelemetry conventions, by the client's class, else by its host."""
    kind = type(client).__name__
    if "Azure" in kind:
        return "azure.ai.openai"
    if "Bedrock" in kind:
        return "aws.bedrock"
    host = str(client.base_url.host)
    if host in _HOSTS:
        return _HOSTS[host]
    return next((name for suffix, name in _SUFFIXES.items() if host.endswith(suffix)), "openai")


def _certain(client: Any, provider: str) -> bool:
    """Return True for the provider's own hosts. A compatible server elsewhere may end its streams differently."""
    host = str(client.base_url.host)
    return provider == "azure.ai.openai" or _HOSTS.get(host) == "openai" or host.endswith(".api.openai.com")
