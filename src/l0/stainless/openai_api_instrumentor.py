"""The base of instrumentors for SDKs that Stainless generates for an API compatible with OpenAI's.

A provider is one class (docs/providers.md)::

    class GroqInstrumentor(OpenAiApiInstrumentor):
        sdk_name = "groq"
        supported_versions = ">= 0.13, < 2"
        provider_name = "groq"
        paths = ("/openai/v1/chat/completions", "/openai/v1/embeddings")
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from importlib.machinery import PathFinder
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, ClassVar

from l0.model.policy_error import PolicyError

from .installed import version_of
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


_DECLARED = (
    "sdk_name", "distribution", "supported_versions", "provider_name", "paths", "terminal_event_host", "client_options"
)  # fmt: skip
"""The attributes that a provider's class may declare."""
_KNOWN = frozenset({*_DECLARED, "module_name"})
"""Attributes of a class that are not its own: declared, or set when the class is defined."""


class OpenAiApiInstrumentor(StainlessInstrumentor):
    """An instrumentor that a provider only declares, without code.

    ``provider_name``: the value of ``gen_ai.provider.name`` on spans. ``paths``: the URLs of the SDK's inference
    requests, as its source states them. The end of a path determines the dialect: ``/chat/completions``,
    ``/completions``, ``/responses`` or ``/embeddings``. ``terminal_event_host``: the provider's own host if all of its
    streams end with ``[DONE]`` or a finish reason. A stream of that host without such an end is a failure from the
    first call on; one of another host only after a stream from the same URL and model had such an end.
    ``client_options``: the arguments with which `l0 doctor` constructs a client, besides ``base_url``. A key need not
    be valid: the client calls the simulator.
    """

    provider_name: ClassVar[str]
    paths: ClassVar[tuple[str, ...]]
    terminal_event_host: ClassVar[str | None] = None
    client_options: ClassVar[Mapping[str, Any]] = {"api_key": "doctor"}

    @classmethod
    def check_attributes(cls) -> None:
        """As `SdkInstrumentor.check_attributes`."""
        super().check_attributes()
        _check_names(cls)
        check_attribute(cls, "provider_name", is_text, 'the value of gen_ai.provider.name, such as "groq"')
        check_attribute(cls, "paths", _are_paths, f"a tuple of paths or URLs that end with {', '.join(OPERATIONS)}")
        named = 'None, or the name of a host without a scheme, such as "api.groq.com"'
        check_attribute(cls, "terminal_event_host", _is_host, named)
        check_attribute(cls, "client_options", _are_arguments, 'a mapping such as {"api_key": "any"}')

    def provider(self, sdk: Sdk) -> Provider:
        from .openai_provider import DeclaredProvider  # the first call needs it

        return DeclaredProvider(sdk, self.provider_name, self.paths, self.terminal_event_host)

    def _unsupported(self) -> str | None:
        """As `SdkInstrumentor`, and the reason if the installed SDK lacks the module that Stainless generates.

        Without metadata of the distribution, the package may be another one of this name: that is no reason.
        """
        reason = super()._unsupported()
        found = version_of(self.distribution)
        if reason is not None or found is None or _has_module(self.sdk_name, self.module_name):
            return reason
        missing = f"it has no module {self.module_name}, so Stainless did not generate it"
        return f"l0 does not patch {self.distribution} {found}: {missing}"


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


def paths_of(paths: Iterable[str], dialect: str) -> list[str]:
    """Return the paths of one dialect."""
    return [path for path, (known, _) in operations_at(paths).items() if known == dialect]


def _check_names(kind: type[OpenAiApiInstrumentor]) -> None:
    """Raise `PolicyError` for a public attribute that L0 does not know. Methods and properties are the class's own."""
    for base in kind.__mro__[: kind.__mro__.index(OpenAiApiInstrumentor)]:
        for name, value in vars(base).items():
            is_own = name.startswith("_") or callable(value) or hasattr(value, "__get__")
            if not is_own and not hasattr(OpenAiApiInstrumentor, name) and name not in _KNOWN:
                from l0.model.nearest_name import nearest

                meant = nearest(name, _DECLARED, "l0.uninstrument()")
                allowed = f"{meant}one of {', '.join(_DECLARED)}; a name that begins with _ for your own"
                raise PolicyError(f"{kind.__module__}.{kind.__qualname__}.{name}", value, allowed)


def _has_module(package: str, module: str) -> bool:
    """Return True if a package is not installed, or has this module. Nothing of a top-level package is imported."""
    if module in sys.modules:
        return True
    try:
        spec = find_spec(package)
    except Exception:  # `find_spec` imports the parent of a submodule, which may raise anything
        return True
    return spec is None or PathFinder.find_spec(module, spec.submodule_search_locations or ()) is not None


def _are_paths(value: object) -> bool:
    if not isinstance(value, tuple) or not value or not all(map(is_text, value)):
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
