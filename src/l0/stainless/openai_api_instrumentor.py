"""The base of instrumentors for SDKs that Stainless generates for an API compatible with OpenAI's.

A provider is one class (docs/providers.md)::

    class GroqInstrumentor(OpenAiApiInstrumentor):
        sdk_name = "groq"
        supported = ">= 0.13, < 2"
        provider_name = "groq"
        paths = ("/openai/v1/chat/completions", "/openai/v1/embeddings")
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from .sdk_instrumentor import check_attribute, is_text
from .stainless_instrumentor import StainlessInstrumentor

if TYPE_CHECKING:
    from .sdk import Sdk
    from .stainless_call_adapter import Provider


Operations = Mapping[str, tuple[str, str]]
"""Map from the path of a request to its dialect and operation."""

OPERATIONS: Operations = {
    "/chat/completions": ("chat", "chat"),
    "/completions": ("completions", "text_completion"),
    "/responses": ("responses", "chat"),
    "/embeddings": ("embeddings", "embeddings"),
}
"""The requests that L0 serves. Others, such as those to files, models, images, audio and realtime, pass through."""


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

    @classmethod
    def check_attributes(cls) -> None:
        """As `SdkInstrumentor.check_attributes`."""
        super().check_attributes()
        check_attribute(cls, "provider_name", is_text, 'the value of gen_ai.provider.name, such as "groq"')
        check_attribute(cls, "paths", _are_paths, f"a tuple of paths or URLs that end with {', '.join(OPERATIONS)}")
        check_attribute(cls, "host", _is_host, 'None, or the name of a host without a scheme, such as "api.groq.com"')
        check_attribute(cls, "client_options", _are_arguments, 'a mapping such as {"api_key": "any"}')

    def provider(self, sdk: Sdk) -> Provider:
        from .openai_provider import DeclaredProvider  # the first call needs it

        return DeclaredProvider(sdk, self.provider_name, self.paths, self.host)


def operations_at(paths: Iterable[str]) -> Operations:
    """Return the operations of these paths, by their ends. Raises `ValueError` for a path that has none."""
    found = {}
    for path in paths:
        # Some SDKs request a path without the first slash.
        ends = [end for end in OPERATIONS if f"/{path}".endswith(end)]
        if not ends:
            raise ValueError(f"{path}: a path ends with {', '.join(OPERATIONS)}")
        found[path] = OPERATIONS[max(ends, key=len)]
    return found


def _are_paths(value: object) -> bool:
    if not isinstance(value, tuple | list | set | frozenset) or not value or not all(map(is_text, value)):
        return False
    try:
        operations_at(value)
    except ValueError:
        return False
    return True


def _is_host(value: object) -> bool:
    return value is None or (is_text(value) and not {"/", ":"} & {*str(value)})


def _are_arguments(value: object) -> bool:
    return isinstance(value, Mapping) and all(isinstance(name, str) for name in value)
