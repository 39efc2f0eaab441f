"""The base of providers with an SDK that Stainless generates and an API compatible with OpenAI's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

from l0.dialects.chat import ChatReader
from l0.dialects.completions import CompletionsReader
from l0.dialects.responses import ResponsesReader
from l0.dialects.resume_requests import server_can_replay
from l0.model.call import RetrySafety
from l0.model.inference_request import InferenceRequest
from l0.model.ports import WireReader

from .addresses import address_of
from .openai_api_instrumentor import operations_at
from .openai_requests import describe_request, has_effect_once_created
from .sdk import Sdk
from .stainless_call_adapter import ReaderContext


class OpenAiApiProvider:
    """The methods of `Provider` that such SDKs share: all except `describe`."""

    shared_headers: frozenset[str] = frozenset()

    def __init__(self, sdk: Sdk) -> None:
        self._sdk = sdk

    def reader(self, reading: ReaderContext) -> WireReader:
        """As `Provider.reader`."""
        response, inference = reading.response, reading.inference
        content_type = response.headers.get("content-type", "")
        make_error = partial(self._error, reading)
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

    def _error(self, reading: ReaderContext, message: str, body: object) -> Exception:
        """Return the exception that the SDK raises for an error inside a stream."""
        error: Exception
        if reading.loop.status_errors:
            error = reading.client._make_status_error(message, body={"error": body}, response=reading.response)
        else:
            error = self._sdk.package.APIError(message, request=reading.request, body=body)
        return error


class DeclaredProvider(OpenAiApiProvider):
    """The provider of an `OpenAiApiInstrumentor`; its docstring describes the parameters."""

    def __init__(self, sdk: Sdk, provider_name: str, paths: Iterable[str], terminal_event_host: str | None) -> None:
        super().__init__(sdk)
        self._provider_name = provider_name
        self._operations = operations_at(paths)
        self._terminal_event_host = terminal_event_host

    def describe(self, client: Any, options: Any, *, stream: bool) -> InferenceRequest | None:
        """As `Provider.describe`."""
        certain = address_of(client.base_url).host == self._terminal_event_host
        return describe_request(options, self._operations, provider=self._provider_name, certain=certain, stream=stream)
