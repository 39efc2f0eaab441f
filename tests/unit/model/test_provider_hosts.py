"""The provider of a base URL, by its host."""

import pytest

from l0.model.provider_hosts import provider_at

CONVENTIONS = {
    "anthropic", "aws.bedrock", "azure.ai.inference", "azure.ai.openai", "cohere", "deepseek", "gcp.gemini",
    "gcp.gen_ai", "gcp.vertex_ai", "groq", "ibm.watsonx.ai", "mistral_ai", "openai", "perplexity", "x_ai",
}  # fmt: skip
"""The well-known values of ``gen_ai.provider.name``."""


@pytest.mark.parametrize(
    ("host", "port", "name"),
    [
        ("api.deepseek.com", 443, "deepseek"),
        ("openrouter.ai", 443, "openrouter"),
        ("api.x.ai", 443, "x_ai"),
        ("eu-west-1.api.x.ai", 443, "x_ai"),
        ("api.mistral.ai", 443, "mistral_ai"),
        ("api.perplexity.ai", 443, "perplexity"),
        ("api.moonshot.cn", 443, "moonshot_ai"),
        ("dashscope-intl.aliyuncs.com", 443, "dashscope"),
        ("mine.openai.azure.com", 443, "azure.ai.openai"),
        ("us-central1-aiplatform.googleapis.com", 443, "gcp.vertex_ai"),
        ("api.groq.com", 443, "groq"),
        ("api.together.xyz", 443, "together_ai"),
        ("api.fireworks.ai", 443, "fireworks_ai"),
        ("api.cerebras.ai", 443, "cerebras"),
        ("localhost", 11434, "ollama"),
        ("localhost", 8000, None),
        ("evil-api.groq.com.example", 443, None),
    ],
)
def test_provider_of_a_host(host: str, port: int, name: str | None) -> None:
    assert provider_at(host, port) == name


def test_provider_named_by_the_conventions_has_that_name() -> None:
    hosts = ("api.cohere.com", "api.deepseek.com", "api.groq.com", "api.mistral.ai", "api.perplexity.ai", "api.x.ai")
    assert {provider_at(host, 443) for host in hosts} < CONVENTIONS
