"""The base of providers with an SDK that Stainless generates and an API compatible with OpenAI's.

A provider package subclasses it in a few lines::

    class GroqProvider(OpenAiApiProvider):
        provider_name = "groq"
        operations = {"/openai/v1/chat/completions": ("chat", "chat")}
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, ClassVar

from l0.dialects.chat import ChatReader
from l0.dialects.completions import CompletionsReader
from l0.dialects.responses import ResponsesReader
from l0.dialects.resume_requests import server_can_replay
from l0.model.call import RetrySafety
from l0.model.inference_request import InferenceRequest
from l0.model.ports import WireReader

from .openai_requests import OPERATIONS, Operations, describe_request, has_effect_once_created
from .sdk import Sdk
from .stainless_call_adapter import ReaderContext


class OpenAiApiProvider:
    """The provider side of the patches. ``provider_name``: as in the OpenTelemetry conventions."""

    provider_name: ClassVar[str]
    operations: ClassVar[Operations] = OPERATIONS
    shared_headers: frozenset[str] = frozenset()

    def __init__(self, sdk: Sdk) -> None:
        self._sdk = sdk

    def describe(self, client: Any, options: Any, *, stream: bool) -> InferenceRequest | None:  # noqa: ARG002
        """As `Provider.describe`. ``certain=False``: the host may end its streams without a terminal event."""
        return describe_request(options, self.operations, provider=self.provider_name, certain=False, stream=stream)

    def reader(self, reading: ReaderContext) -> WireReader:
        """As `Provider.reader`."""
        response, inference = reading.response, reading.inference
        content_type = response.headers.get("content-type", "")
        make_error = partial(self._error, reading.request)
        if inference.dialect == "responses":
            kept = inference.retry_safety is RetrySafety.UNTIL_EFFECT and has_effect_once_created(inference.body)
            replays = server_can_replay(inference)
            return ResponsesReader(
                reading.build, content_type, kept=kept, replays=replays, make_error=make_error, order=reading.order
            )
        kind = CompletionsReader if inference.dialect == "completions" else ChatReader
        return kind(
            reading.build,
            content_type,
            choices=inference.choices,
            wraps=reading.loop.wraps,
            make_error=make_error,
            order=reading.order,
        )

    def prepare(self, client: Any, options: Any, headers: Mapping[str, str]) -> None:
        """As `Provider.prepare`: nothing to change."""

    def _error(self, request: Any, message: str, body: object) -> Exception:
        error: Exception = self._sdk.package.APIError(message, request=request, body=body)
        return error
