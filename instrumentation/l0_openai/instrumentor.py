"""The instrumentor of the openai SDK."""

from __future__ import annotations

from typing import TYPE_CHECKING

from l0.stainless.stainless_instrumentor import StainlessInstrumentor

if TYPE_CHECKING:
    from l0.stainless.sdk import Sdk
    from l0.stainless.stainless_call_adapter import Provider


class OpenAIInstrumentor(StainlessInstrumentor):
    """The instrumentor that OpenTelemetry finds by the entry point ``l0_openai``."""

    sdk_name = "openai"
    supported_versions = ">= 1.60, < 4"

    def provider(self, sdk: Sdk) -> Provider:
        from .provider import OpenAIProvider  # imported at the first call

        return OpenAIProvider(sdk)
