"""The instrumentor of the anthropic SDK."""

from __future__ import annotations

from l0.stainless.sdk import Sdk
from l0.stainless.stainless_call_adapter import Provider
from l0.stainless.stainless_instrumentor import StainlessInstrumentor

from .provider import AnthropicProvider


class AnthropicInstrumentor(StainlessInstrumentor):
    """The instrumentor that OpenTelemetry finds by the entry point ``l0_anthropic``."""

    sdk_name = "anthropic"
    supported = ">= 0.40, < 3"

    def provider(self, sdk: Sdk) -> Provider:
        return AnthropicProvider(sdk)
