"""The SDKs of providers with an API compatible with OpenAI's: groq, cerebras, together and fireworks."""

from l0.stainless.openai_api_instrumentor import OpenAiApiInstrumentor


class GroqInstrumentor(OpenAiApiInstrumentor):
    """The instrumentor of the groq SDK."""

    sdk_name = "groq"
    supported_versions = ">= 0.13, < 2"
    provider_name = "groq"
    paths = ("/openai/v1/chat/completions", "/openai/v1/embeddings")
    terminal_event_host = "api.groq.com"


class CerebrasInstrumentor(OpenAiApiInstrumentor):
    """The instrumentor of the cerebras SDK."""

    sdk_name = "cerebras.cloud.sdk"
    distribution = "cerebras-cloud-sdk"
    supported_versions = ">= 1.35, < 2"
    provider_name = "cerebras"
    paths = ("/v1/chat/completions", "/v1/completions")
    terminal_event_host = "api.cerebras.ai"


class TogetherInstrumentor(OpenAiApiInstrumentor):
    """The instrumentor of the together SDK, which Stainless generates since 2.0."""

    sdk_name = "together"
    supported_versions = ">= 2, < 4"
    provider_name = "together_ai"
    # In older versions, `/v1` is a part of the base URL. Newer versions send chats to another host.
    paths = (
        "/v1/chat/completions", "/v1/completions", "/v1/embeddings",
        "/chat/completions", "/completions", "/embeddings",
        "https://api-inference.together.ai/v1/chat/completions",
    )  # fmt: skip
    terminal_event_host = "api.together.ai"


_FIREWORKS = "https://api.fireworks.ai/inference"


class FireworksInstrumentor(OpenAiApiInstrumentor):
    """The instrumentor of the fireworks SDK, which Stainless generates since 1.0."""

    sdk_name = "fireworks"
    distribution = "fireworks-ai"
    supported_versions = ">= 1.2, < 2"
    provider_name = "fireworks_ai"
    # The SDK uses whole URLs unless the base URL is changed.
    paths = (
        "/v1/chat/completions", "/v1/completions",
        f"{_FIREWORKS}/v1/chat/completions", f"{_FIREWORKS}/v1/completions",
    )  # fmt: skip
    terminal_event_host = "api.fireworks.ai"
