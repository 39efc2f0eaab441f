"""Simulate OpenAI legacy completions."""

import re
from collections.abc import Iterator, Mapping
from itertools import zip_longest
from typing import Any

from ..answers import Answer
from ..conversation import conversations, text_in
from ..logprobs import legacy
from ..sse_writer import PLACEHOLDER, block, quoted, template
from . import openai_server
from .server_dialect import (
    MAX_CHOICES,
    AnswerIdentity,
    Dialect,
    Json,
    Role,
    SimulatedRequest,
    prompt_tokens,
    required,
    token_limit,
    top_logprobs,
    whole_number,
)

_CONTENT = re.compile(rb'"text":\s*"[^"]')
_FINISH = re.compile(rb'"finish_reason":\s*"|"usage":\s*\{')


def read_request(body: Mapping[str, Any]) -> SimulatedRequest:
    """Read a request body."""
    required(body, "model", "prompt")
    return SimulatedRequest(
        model=str(body["model"]),
        stream=bool(body.get("stream")),
        prompt=text_in(body["prompt"]),
        choices=whole_number(body, "n", 1, MAX_CHOICES),
        usage=bool((body.get("stream_options") or {}).get("include_usage")),
        conversations=conversations(text_in(body["prompt"])),
        logprobs=None if body.get("logprobs") is None else top_logprobs(body, "logprobs"),
        max_tokens=token_limit(body, "max_tokens"),
    )


def events(answer: Answer, request: SimulatedRequest, identity: AnswerIdentity) -> Iterator[bytes]:
    """Yield the answer as text chunks: a chunk of each choice in turn, then usage if requested, then `[DONE]`."""
    for turn in zip_longest(*(_choice(answer, request, identity, i) for i in range(request.choices))):
        yield from filter(None, turn)
    if request.usage:
        yield block(_chunk(request, identity, []) | {"usage": _usage(answer, request)})
    yield block("[DONE]")


def _choice(answer: Answer, request: SimulatedRequest, identity: AnswerIdentity, index: int) -> Iterator[bytes]:
    if request.logprobs is None:
        head, tail = template(_chunk(request, identity, [_text(index, PLACEHOLDER, None)]))
        yield from (head + quoted(piece) + tail for piece in answer.pieces_of(index))
    else:
        offset = 0
        for piece in answer.pieces_of(index):
            logprobs = legacy([piece], request.logprobs, offset)
            yield block(_chunk(request, identity, [_text(index, piece, None) | {"logprobs": logprobs}]))
            offset += len(piece)
    yield block(_chunk(request, identity, [_text(index, "", answer.stop)]))


def complete_response(answer: Answer, request: SimulatedRequest, identity: AnswerIdentity) -> Json:
    """Return the answer as one body."""
    choices = [_text(i, answer.text_of(i), answer.stop) for i in range(request.choices)]
    if request.logprobs is not None:
        choices = [each | {"logprobs": legacy(answer.pieces_of(i), request.logprobs)} for i, each in enumerate(choices)]
    return _chunk(request, identity, choices) | {"usage": _usage(answer, request)}


def _text(index: int, text: str, finish: str | None) -> Json:
    return {"text": text, "index": index, "logprobs": None, "finish_reason": finish}


def _chunk(request: SimulatedRequest, identity: AnswerIdentity, choices: list[Json]) -> Json:
    return {
        "id": f"cmpl-{identity.digits}",
        "object": "text_completion",
        "created": identity.created,
        "choices": choices,
        "model": request.model,
    }


def _usage(answer: Answer, request: SimulatedRequest) -> Json:
    output_tokens = sum(answer.tokens or sum(1 for _ in answer.pieces_of(i)) for i in range(request.choices))
    return {
        "prompt_tokens": prompt_tokens(request),
        "completion_tokens": output_tokens,
        "total_tokens": prompt_tokens(request) + output_tokens,
    }


def role(chunk: bytes) -> Role:
    """Return the role of a block."""
    if b"[DONE]" in chunk[-20:]:
        return "end"
    if _FINISH.search(chunk):
        return "finish"
    return "content" if _CONTENT.search(chunk) else "lifecycle"


def empty_event(identity: AnswerIdentity) -> bytes:
    """Return a chunk with empty text."""
    return block(_chunk(SimulatedRequest(model="simulated"), identity, [_text(0, "", None)]))


COMPLETIONS = Dialect(
    name="completions",
    read_request=read_request,
    events=events,
    complete=complete_response,
    error=openai_server.error,
    in_band=openai_server.in_band,
    failed=openai_server.in_band,
    role=role,
    idle=b": PROCESSING\n\n",
    empty_event=empty_event,
    headers=openai_server.headers,
)
