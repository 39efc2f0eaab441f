"""Map hosts to provider names: those of the OpenTelemetry conventions, or similar ones for other providers."""

from __future__ import annotations

from functools import lru_cache

_HOSTS = {
    "api.openai.com": "openai",
    "api.cerebras.ai": "cerebras",
    "api.cohere.ai": "cohere",
    "api.cohere.com": "cohere",
    "dashscope.aliyuncs.com": "dashscope",
    "dashscope-intl.aliyuncs.com": "dashscope",
    "dashscope-us.aliyuncs.com": "dashscope",
    "api.deepinfra.com": "deepinfra",
    "api.deepseek.com": "deepseek",
    "api.fireworks.ai": "fireworks_ai",
    "generativelanguage.googleapis.com": "gcp.gemini",
    "api.groq.com": "groq",
    "router.huggingface.co": "huggingface",
    "api.mistral.ai": "mistral_ai",
    "codestral.mistral.ai": "mistral_ai",
    "api.moonshot.ai": "moonshot_ai",
    "api.moonshot.cn": "moonshot_ai",
    "integrate.api.nvidia.com": "nvidia",
    "ollama.com": "ollama",
    "openrouter.ai": "openrouter",
    "api.perplexity.ai": "perplexity",
    "api.sambanova.ai": "sambanova",
    "api-inference.together.ai": "together_ai",
    "api.together.ai": "together_ai",
    "api.together.xyz": "together_ai",
    "api.x.ai": "x_ai",
}
_SUFFIXES = {
    ".api.openai.com": "openai",
    ".openai.azure.com": "azure.ai.openai",
    ".cognitiveservices.azure.com": "azure.ai.openai",
    ".services.ai.azure.com": "azure.ai.openai",
    ".models.ai.azure.com": "azure.ai.inference",
    ".amazonaws.com": "aws.bedrock",
    "aiplatform.googleapis.com": "gcp.vertex_ai",
    ".ml.cloud.ibm.com": "ibm.watsonx.ai",
    ".api.x.ai": "x_ai",
}
_PORTS = {1234: "lm_studio", 11434: "ollama"}
"""Default ports of servers that run locally, and that hardly any other server uses."""

PROVIDERS = tuple(sorted({"anthropic", *_HOSTS.values(), *_SUFFIXES.values(), *_PORTS.values()}))
"""All names that L0 gives to providers. A user may give others, and a host that has no name may stand for itself."""


@lru_cache(maxsize=256)
def provider_at(host: str, port: int) -> str | None:
    """Return the name of the provider; ``None`` for an unknown host, such as a server that you run."""
    suffixes = (name for suffix, name in _SUFFIXES.items() if host.endswith(suffix))
    return _HOSTS.get(host) or next(suffixes, None) or _PORTS.get(port)
