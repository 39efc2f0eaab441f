"""The openai side of the patches."""

from __future__ import annotations

from l0.stainless.openai_provider import OpenAiApiProvider

from . import describe as requests


class OpenAIProvider(OpenAiApiProvider):
    """The provider side of the patches for the openai SDK, whose clients reach the hosts of many providers."""

    shared_headers = frozenset({"openai-beta"})

    # Static, as a method would only pass its arguments on, once per call.
    describe = staticmethod(requests.describe)  # pyright: ignore[reportAssignmentType]
