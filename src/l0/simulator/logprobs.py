"""Invent the log probabilities of tokens. The same token always gets the same ones."""

from collections.abc import Iterable
from typing import Any
from zlib import crc32

MAX_ALTERNATIVES = 20
"""Maximum number of alternatives per token, as in the OpenAI API."""


def token_logprob(token: str) -> float:
    """Return the log probability of a token, from -2 to 0."""
    return -(crc32(token.encode("utf-8", "surrogatepass")) % 2000) / 1000


def alternatives(token: str, top: int) -> list[tuple[str, float]]:
    """Return this token and invented alternatives to it, `top` tokens in all, with their log probabilities."""
    own = token_logprob(token)
    return [(f"{token}{'~' * place}", round(own - place, 3)) for place in range(top)]


def entry(token: str, top: int) -> dict[str, Any]:
    """Return a token with its log probabilities, as chat and Responses report them."""
    best = [_described(each, logprob) for each, logprob in alternatives(token, top)]
    return {**_described(token, token_logprob(token)), "top_logprobs": best}


def legacy(tokens: Iterable[str], top: int, offset: int = 0) -> dict[str, Any]:
    """Return tokens with their log probabilities, as legacy completions report them.

    `offset`: the number of characters before the first token.
    """
    tokens = list(tokens)
    offsets = list[int]()
    for token in tokens:
        offsets.append(offset)
        offset += len(token)
    return {
        "tokens": tokens,
        "token_logprobs": [token_logprob(token) for token in tokens],
        "top_logprobs": [dict(alternatives(token, top)) for token in tokens] if top else None,
        "text_offset": offsets,
    }


def _described(token: str, logprob: float) -> dict[str, Any]:
    return {"token": token, "logprob": logprob, "bytes": list(token.encode("utf-8", "surrogatepass"))}
