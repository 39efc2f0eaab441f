"""Describe google-genai's requests for content. Other requests pass through unchanged."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from l0.model.call import RetrySafety
from l0.model.inference_request import InferenceRequest
from l0.model.tolerant_reading import object_of, objects_in
from l0.stainless.request_attributes import request_attributes
from l0.telemetry import names

STREAMED, COMPLETE = ":streamGenerateContent", ":generateContent"
_MODEL = re.compile(r"([^/:]+):(?:stream)?[gG]enerateContent")
_SETTINGS = (
    ("temperature", names.REQUEST_TEMPERATURE, float),
    ("topP", names.REQUEST_TOP_P, float),
    ("topK", names.REQUEST_TOP_K, float),
    ("maxOutputTokens", names.REQUEST_MAX_TOKENS, int),
    ("candidateCount", names.REQUEST_CHOICE_COUNT, int),
    ("seed", names.REQUEST_SEED, int),
    ("presencePenalty", names.REQUEST_PRESENCE_PENALTY, float),
    ("frequencyPenalty", names.REQUEST_FREQUENCY_PENALTY, float),
)
_HARMLESS_TOOLS = frozenset(
    {
        *("functionDeclarations", "googleSearch", "googleSearchRetrieval", "enterpriseWebSearch", "googleMaps"),
        *("codeExecution", "urlContext", "retrieval", "fileSearch", "computerUse"),
    }
)
"""The user's own functions, and tools of the server that only read or compute: a retry of them only costs tokens."""


def describe(client: Any, path: str, body: Mapping[str, Any], *, stream: bool) -> InferenceRequest | None:
    """Return the inference request in a request; ``None`` for other requests. ``path``: the path, with its query."""
    found = _MODEL.search(path)
    if found is None or (STREAMED if stream else COMPLETE) not in path:
        return None
    settings = object_of(body.get("generationConfig"))
    structured = settings.get("responseMimeType") not in (None, "text/plain")
    return InferenceRequest(
        dialect="generate_content",
        operation="generate_content",
        provider="gcp.vertex_ai" if client.vertexai else "gcp.gemini",
        model=found[1],
        retry_safety=RetrySafety.UNTIL_ACCEPTED if _server_side(body) else RetrySafety.SAFE,
        body=body,
        attributes=request_attributes(settings, _SETTINGS, settings.get("stopSequences"), stream=stream),
        certain=(urlsplit(base_url(client)).hostname or "").endswith(".googleapis.com"),
        choices=settings.get("candidateCount") or 1,
        resumable=not structured,
    )


def base_url(client: Any) -> str:
    """Return the base URL of a client."""
    return str(client._http_options.base_url or "")


def with_model(url: str, model: str) -> str:
    """Return the URL of a request for another model."""
    name = model.rpartition("/")[2]
    return _MODEL.sub(lambda found: name + found[0][len(found[1]) :], url, count=1)


def _server_side(body: Mapping[str, Any]) -> bool:
    """Return True for tools of the server that are not known to be harmless: their effects must not happen twice."""
    return any(tool.keys() - _HARMLESS_TOOLS for tool in objects_in(body.get("tools")))
