"""The instrumentor of litellm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from l0.wrapped_sdks.wrapped_sdk_instrumentor import WrappedSdkInstrumentor

if TYPE_CHECKING:
    from l0.wrapped_sdks.wrapped_patches import WrappedSdk


class LitellmInstrumentor(WrappedSdkInstrumentor):
    """The instrumentor that OpenTelemetry finds by the entry point ``l0_litellm``."""

    sdk_name = "litellm"
    supported_versions = ">= 1.100, < 2"
    module_name = "litellm.llms.custom_httpx.http_handler"
    functions: ClassVar[Mapping[str, Sequence[str]]] = {"HTTPHandler": ("post",), "AsyncHTTPHandler": ("post",)}

    def calls(self, sdk: WrappedSdk) -> Any:
        from .handler_calls import LitellmCalls  # imported at the first call

        return LitellmCalls(sdk)
