"""The instrumentor of botocore, for the bedrock-runtime clients of boto3."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from l0.wrapped_sdks.wrapped_sdk_instrumentor import WrappedSdkInstrumentor

if TYPE_CHECKING:
    from l0.wrapped_sdks.wrapped_patches import WrappedSdk


class BedrockInstrumentor(WrappedSdkInstrumentor):
    """The instrumentor that OpenTelemetry finds by the entry point ``l0_bedrock``."""

    sdk_name = "botocore"
    supported_versions = ">= 1.40, < 2"
    module_name = "botocore.session"
    functions: ClassVar[Mapping[str, Sequence[str]]] = {
        "botocore.client.BaseClient": ("_make_api_call",),
        "botocore.endpoint.Endpoint": ("make_request",),
    }

    def calls(self, sdk: WrappedSdk) -> Any:
        from .bedrock_calls import BedrockCalls  # imported at the first call

        return BedrockCalls(sdk)
