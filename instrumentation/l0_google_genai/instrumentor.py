"""The instrumentor of the google-genai SDK."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from l0.wrapped_sdks.wrapped_sdk_instrumentor import WrappedSdkInstrumentor

if TYPE_CHECKING:
    from l0.wrapped_sdks.wrapped_patches import WrappedSdk


class GoogleGenAIInstrumentor(WrappedSdkInstrumentor):
    """The instrumentor that OpenTelemetry finds by the entry point ``l0_google_genai``."""

    sdk_name = "google.genai"
    distribution = "google-genai"
    supported_versions = ">= 1.60, < 4"
    module_name = "google.genai._api_client"
    functions: ClassVar[Mapping[str, Sequence[str]]] = {
        "BaseApiClient": ("request", "request_streamed", "async_request", "async_request_streamed")
    }

    def calls(self, sdk: WrappedSdk) -> Any:
        from .calls import GoogleCalls  # imported at the first call

        return GoogleCalls(sdk)
