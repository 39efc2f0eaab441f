"""The instrumentor of the anthropic SDK."""

from __future__ import annotations

from typing import TYPE_CHECKING

from l0.stainless.stainless_instrumentor import StainlessInstrumentor

if TYPE_CHECKING:
    from l0.stainless.sdk import Sdk
    from l0.stainless.stainless_call_adapter import Provider


class AnthropicInstrumentor(StainlessInstrumentor):
    """The instrumentor that OpenTelemetry finds by the entry point ``l0_anthropic``."""

    sdk_name = "anthropic"
    supported_versions = ">= 0.40, < 3"

    def provider(self, sdk: Sdk) -> Provider:
        from .provider import AnthropicProvider  # imported at the first call

        return AnthropicProvider(sdk)
