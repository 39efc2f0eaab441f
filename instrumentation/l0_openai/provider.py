"""The openai side of the patches."""

from __future__ import annotations

from l0.stainless.openai_provider import OpenAiApiProvider

from . import describe as requests


class OpenAIProvider(OpenAiApiProvider):
    """The provider side of the patches for the openai SDK, whose clients reach the hosts of many providers."""

    shared_headers = frozenset({"openai-beta"})

    describe = staticmethod(requests.describe)
