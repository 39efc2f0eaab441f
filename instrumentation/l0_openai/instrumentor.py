"""The instrumentor of the openai SDK."""

from __future__ import annotations

from l0.stainless.sdk import Sdk
from l0.stainless.stainless_call_adapter import Provider
from l0.stainless.stainless_instrumentor import StainlessInstrumentor

from .provider import OpenAIProvider


class OpenAIInstrumentor(StainlessInstrumentor):
    """The instrumentor that OpenTelemetry finds by the entry point ``l0_openai``."""

    sdk_name = "openai"
    supported = ">= 1.60, < 4"

    def provider(self, sdk: Sdk) -> Provider:
        return OpenAIProvider(sdk)
