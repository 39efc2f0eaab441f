"""Simulate OpenAI embeddings: one body, never a stream."""

import base64
import math
import random
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..answers import Answer
from ..conversation import text_in
from . import openai_server
from .server_dialect import (
    AnswerIdentity,
    Dialect,
    InvalidRequestError,
    Json,
    Role,
    SimulatedRequest,
    prompt_tokens,
    required,
    whole_number,
)

_INPUTS, _DIMENSIONS = 2_048, 4_096


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddingRequest(SimulatedRequest):
    """A request for embeddings: inputs, length of a vector, and true if base64 is requested (the SDK's default)."""

    inputs: tuple[str, ...] = ()
    dimensions: int = 1536
    base64: bool = False


def read_request(body: Mapping[str, Any]) -> SimulatedRequest:
    """Read a request body."""
    required(body, "model", "input")
    given = body["input"]
    # A list of integers is one input of tokens, not many inputs.
    is_list_of_inputs = isinstance(given, list) and given and not isinstance(given[0], int)
    inputs = tuple(map(str, given)) if is_list_of_inputs else (str(given),)
    if len(inputs) > _INPUTS:
        raise InvalidRequestError(f"Invalid 'input': expected up to {_INPUTS} inputs.")
    return EmbeddingRequest(
        model=str(body["model"]),
        prompt=text_in(given),
        inputs=inputs,
        dimensions=whole_number(body, "dimensions", 1536, _DIMENSIONS),
        base64=body.get("encoding_format") == "base64",
    )


def complete_response(_answer: Answer, request: SimulatedRequest, _identity: AnswerIdentity) -> Json:
    """Return one vector of length 1 per input. The same text gives the same vector."""
    assert isinstance(request, EmbeddingRequest)
    data = [
        {"object": "embedding", "index": i, "embedding": _vector(text, request)}
        for i, text in enumerate(request.inputs)
    ]
    tokens = prompt_tokens(request)
    return {
        "object": "list",
        "data": data,
        "model": request.model,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }


def _vector(text: str, request: EmbeddingRequest) -> list[float] | str:
    source = random.Random(text)
    raw = [source.gauss(0, 1) for _ in range(request.dimensions)]
    length = math.sqrt(sum(value * value for value in raw))
    vector = [value / length for value in raw]
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode() if request.base64 else vector


def events(_answer: Answer, _request: SimulatedRequest, _identity: AnswerIdentity) -> Iterator[bytes]:
    """Return no events: embeddings are never streamed."""
    return iter(())


def role(_chunk: bytes) -> Role:
    """Return the role of the body: content."""
    return "content"


def empty_event(_identity: AnswerIdentity) -> bytes:
    """Return no event."""
    return b""


EMBEDDINGS = Dialect(
    name="embeddings",
    read_request=read_request,
    events=events,
    complete=complete_response,
    error=openai_server.error,
    in_band=openai_server.in_band,
    failed=openai_server.in_band,
    role=role,
    idle=b"",
    empty_event=empty_event,
    headers=openai_server.headers,
)
