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

_MAX_INPUTS, _MAX_DIMENSIONS = 2_048, 4_096


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddingRequest(SimulatedRequest):
    """A request for embeddings. `dimensions`: the length of each vector. `base64`: vectors are requested as base64,
    which is the SDK's default."""

    inputs: tuple[str, ...] = ()
    dimensions: int = 1536
    base64: bool = False


def read_request(body: Mapping[str, Any]) -> SimulatedRequest:
    """Read a request body."""
    required(body, "model", "input")
    value = body["input"]
    # A list of integers is one input of tokens, not many inputs.
    is_list_of_inputs = isinstance(value, list) and value and not isinstance(value[0], int)
    inputs = tuple(map(str, value)) if is_list_of_inputs else (str(value),)
    if len(inputs) > _MAX_INPUTS:
        raise InvalidRequestError(f"Invalid 'input': expected up to {_MAX_INPUTS} inputs.")
    return EmbeddingRequest(
        model=str(body["model"]),
        prompt=text_in(value),
        inputs=inputs,
        dimensions=whole_number(body, "dimensions", 1536, _MAX_DIMENSIONS),
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
    seeded = random.Random(text)
    raw = [seeded.gauss(0, 1) for _ in range(request.dimensions)]
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
