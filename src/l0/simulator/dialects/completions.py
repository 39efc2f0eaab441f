"""OpenAI legacy completions."""

import re
from collections.abc import Iterator, Mapping
from itertools import zip_longest
from typing import Any

from l0.simulator.answers import Answer
from l0.simulator.dialects import openai
from l0.simulator.dialects.base import (
    CHOICES,
    Ask,
    Dialect,
    Json,
    Role,
    Stamp,
    prompt_tokens,
    required,
    text_in,
    whole_number,
)
from l0.simulator.sse import HOLE, block, quoted, template

_CONTENT = re.compile(rb'"text":\s*"[^"]')
_FINISH = re.compile(rb'"finish_reason":\s*"|"usage":\s*\{')


def ask(body: Mapping[str, Any]) -> Ask:
    """Read a request body."""
    required(body, "model", "prompt")
    return Ask(
        model=str(body["model"]),
        stream=bool(body.get("stream")),
        prompt=text_in(body["prompt"]),
        choices=whole_number(body, "n", 1, CHOICES),
        usage=bool((body.get("stream_options") or {}).get("include_usage")),
    )


def events(answer: Answer, ask: Ask, stamp: Stamp) -> Iterator[bytes]:
    """The answer as chunks of text: choices take turns, then usage where asked for, then `[DONE]`."""
    for turn in zip_longest(*(_choice(answer, ask, stamp, i) for i in range(ask.choices))):
        yield from filter(None, turn)
    if ask.usage:
        yield block(_chunk(ask, stamp, []) | {"usage": _usage(answer, ask)})
    yield block("[DONE]")


def _choice(answer: Answer, ask: Ask, stamp: Stamp, index: int) -> Iterator[bytes]:
    head, tail = template(_chunk(ask, stamp, [_text(index, HOLE, None)]))
    yield from (head + quoted(piece) + tail for piece in answer.pieces_of(index))
    yield block(_chunk(ask, stamp, [_text(index, "", answer.stop)]))


def whole(answer: Answer, ask: Ask, stamp: Stamp) -> Json:
    """The answer as one body."""
    choices = [_text(i, answer.text_of(i), answer.stop) for i in range(ask.choices)]
    return _chunk(ask, stamp, choices) | {"usage": _usage(answer, ask)}


def _text(index: int, text: str, finish: str | None) -> Json:
    return {"text": text, "index": index, "logprobs": None, "finish_reason": finish}


def _chunk(ask: Ask, stamp: Stamp, choices: list[Json]) -> Json:
    return {
        "id": f"cmpl-{stamp.digits}",
        "object": "text_completion",
        "created": stamp.created,
        "choices": choices,
        "model": ask.model,
    }


def _usage(answer: Answer, ask: Ask) -> Json:
    made = sum(answer.tokens or sum(1 for _ in answer.pieces_of(i)) for i in range(ask.choices))
    return {"prompt_tokens": prompt_tokens(ask), "completion_tokens": made, "total_tokens": prompt_tokens(ask) + made}


def role(chunk: bytes) -> Role:
    """What a block is."""
    if b"[DONE]" in chunk[-20:]:
        return "end"
    if _FINISH.search(chunk):
        return "finish"
    return "content" if _CONTENT.search(chunk) else "lifecycle"


def hollow(stamp: Stamp) -> bytes:
    """A chunk with empty text."""
    return block(_chunk(Ask(model="simulated"), stamp, [_text(0, "", None)]))


COMPLETIONS = Dialect(
    name="completions",
    ask=ask,
    events=events,
    whole=whole,
    error=openai.error,
    in_band=openai.in_band,
    failed=openai.in_band,
    role=role,
    idle=b": PROCESSING\n\n",
    hollow=hollow,
    headers=openai.headers,
)
