"""The openai side of the patches."""

from __future__ import annotations

from typing import Any

from l0.model.inference_request import InferenceRequest
from l0.stainless.openai_provider import OpenAiApiProvider

from . import describe as requests


class OpenAIProvider(OpenAiApiProvider):
    """The provider side of the patches for the openai SDK, whose clients reach the hosts of many providers."""

    shared_headers = frozenset({"openai-beta"})

    def describe(self, client: Any, options: Any, *, stream: bool) -> InferenceRequest | None:
        """As `Provider.describe`."""
        return requests.describe(client, options, stream=stream)
