"""The openai side of the patches."""

from __future__ import annotations

from typing import Any

from l0.model.inference_request import InferenceRequest
from l0.stainless.openai_provider import OpenAiApiProvider

from . import describe as requests


class OpenAIProvider(OpenAiApiProvider):
    """One SDK for many hosts: the provider is found per request."""

    shared_headers = frozenset({"openai-beta"})

    def describe(self, client: Any, options: Any, *, stream: bool) -> InferenceRequest | None:
        """As `Provider.describe`."""
        return requests.describe(client, options, stream=stream)
