"""Describe openai's requests. The class and the host of the client identify the provider."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from l0.model.inference_request import InferenceRequest
from l0.model.provider_hosts import provider_at
from l0.stainless.addresses import address_of
from l0.stainless.openai_api_instrumentor import OPERATIONS
from l0.stainless.openai_requests import describe_request


def describe(client: Any, options: Any, *, stream: bool) -> InferenceRequest | None:
    """Return the inference request that the options describe; ``None`` if they describe another request."""
    address = address_of(client.base_url)
    provider, certain = provider_of(type(client).__name__, address.host, address.port)
    return describe_request(options, OPERATIONS, provider=provider, certain=certain, stream=stream)


@lru_cache(maxsize=256)
def provider_of(kind: str, host: str, port: int) -> tuple[str, bool]:
    """Return the provider's name, by the client's class, else by its host; and True if its streams are certain to end
    with a terminal event.

    A compatible server on an unknown host is named ``openai``, but may end its streams differently.
    """
    known = provider_at(host, port)
    name = "azure.ai.openai" if "Azure" in kind else "aws.bedrock" if "Bedrock" in kind else known or "openai"
    return name, name == "azure.ai.openai" or known == "openai"
