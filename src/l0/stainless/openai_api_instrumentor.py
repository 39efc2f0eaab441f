"""The base of instrumentors for SDKs that Stainless generates for an API compatible with OpenAI's.

A provider is one class (docs/providers.md)::

    class GroqInstrumentor(OpenAiApiInstrumentor):
        sdk_name = "groq"
        supported = ">= 0.13, < 2"
        provider_name = "groq"
        paths = ("/openai/v1/chat/completions", "/openai/v1/embeddings")
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from .stainless_instrumentor import StainlessInstrumentor

if TYPE_CHECKING:
    from .sdk import Sdk
    from .stainless_call_adapter import Provider


class OpenAiApiInstrumentor(StainlessInstrumentor):
    """An instrumentor that a provider only declares, without code.

    ``provider_name``: the value of ``gen_ai.provider.name`` on spans. ``paths``: the URLs of the SDK's inference
    requests, as its source states them. The end of a path determines the dialect: ``/chat/completions``,
    ``/completions``, ``/responses`` or ``/embeddings``. ``host``: the provider's own host if all of its streams end
    with ``[DONE]`` or a finish reason. A stream of that host without such an end is a failure from the first call on;
    one of another host only after a stream from the same URL and model had such an end. ``client_options``: the
    arguments with which `l0 doctor` constructs a client, besides ``base_url``. A key need not be valid: the client
    calls the simulator.
    """

    provider_name: ClassVar[str]
    paths: ClassVar[tuple[str, ...]]
    host: ClassVar[str | None] = None
    client_options: ClassVar[Mapping[str, Any]] = {"api_key": "doctor"}

    def provider(self, sdk: Sdk) -> Provider:
        from .openai_provider import DeclaredProvider  # the first call needs it

        return DeclaredProvider(sdk, self.provider_name, self.paths, self.host)
