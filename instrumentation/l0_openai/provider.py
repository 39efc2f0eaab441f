"""The openai implementation of `Provider`."""

from __future__ import annotations

from l0.stainless.openai_provider import OpenAiApiProvider

from . import describe as describe_module


class OpenAIProvider(OpenAiApiProvider):
    """The provider side of the patches for the openai SDK, whose clients reach the hosts of many providers."""

    shared_headers = frozenset({"openai-beta"})

    # Static, not a method that delegates: that would be one more Python call per request.
    describe = staticmethod(describe_module.describe)
