"""Measure text in characters, in tokens of a real vocabulary, or in estimated tokens. Pure."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sized
from functools import lru_cache
from importlib.util import find_spec
from typing import Protocol

from l0.model.policy import PolicyError

Tokenizer = Callable[[str], int | Sized]
"""A function from a text to its tokens or to their number."""

ESTIMATE = "estimate"
_VOCABULARY = "o200k_base"
_SLICE = 500_000
"""Characters per call of a tokenizer: tokenizers refuse texts of many megabytes, or become slow."""
_PRECISION = 128
"""The search for a length ends within 1/128 of it. Higher precision is useless: the cut moves to a boundary anyway."""
_BYTES = 4
"""Bytes of UTF-8 per token. English has about 4.2 in today's vocabularies, most other scripts 3 to 5."""


class Measure(Protocol):
    """A unit of length."""

    def count(self, text: str) -> int:
        """Return the length of a text."""
        ...

    def head(self, text: str, limit: int) -> int:
        """Return the length in characters of the longest prefix of ``limit`` units or less, or nearly the longest."""
        ...

    def tail(self, text: str, limit: int) -> int:
        """Return the length in characters of the longest suffix of ``limit`` units or less, or nearly the longest."""
        ...


class CharacterMeasure:
    """Measures in Unicode code points."""

    def count(self, text: str) -> int:
        return len(text)

    def head(self, text: str, limit: int) -> int:
        return min(len(text), limit)

    tail = head


class EstimatedTokenMeasure:
    """Estimates tokens as a quarter of the UTF-8 bytes, rounded up."""

    def count(self, text: str) -> int:
        return -(-len(_encoded(text)) // _BYTES)

    def head(self, text: str, limit: int) -> int:
        # A character has one byte or more, so only this much text needs to be encoded.
        return len(_encoded(text[: limit * _BYTES])[: limit * _BYTES].decode(errors="ignore"))

    def tail(self, text: str, limit: int) -> int:
        room = limit * _BYTES
        return len(_encoded(text[-room:])[-room:].decode(errors="ignore")) if room else 0


class TokenMeasure:
    """Measures in tokens of a tokenizer. A tokenizer only has to count: `head` and `tail` search for the length."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer

    def count(self, text: str) -> int:
        return sum(self._count(text[at : at + _SLICE]) for at in range(0, len(text), _SLICE))

    def head(self, text: str, limit: int) -> int:
        return self._longest(len(text), limit, lambda length: text[:length])

    def tail(self, text: str, limit: int) -> int:
        return self._longest(len(text), limit, lambda length: text[len(text) - length :])

    def _count(self, text: str) -> int:
        found = self._tokenizer(text)
        return found if isinstance(found, int) else len(found)

    def _longest(self, length: int, limit: int, part: Callable[[int], str]) -> int:
        fits, total = 0, self.count(part(length))
        if total <= limit:
            return length
        over, over_count, fits_count = length, total, 0
        while over - fits > max(1, fits // _PRECISION):
            # Interpolation instead of bisection: tokens are spread evenly, so it needs fewer calls of the tokenizer.
            share = (limit - fits_count + 0.5) / max(1, over_count - fits_count)
            estimate = fits + round((over - fits) * min(0.98, max(0.02, share)))
            tried = min(over - 1, max(fits + 1, estimate))
            count = self.count(part(tried))
            if count <= limit:
                fits, fits_count = tried, count
            else:
                over, over_count = tried, count
        return fits


def measure(tokenizer: Tokenizer | str | None) -> Measure:
    """Return the measure for a tokenizer.

    ``tokenizer``: a function; the name of an OpenAI vocabulary; ``"estimate"``; or ``None`` for the vocabulary of
    today's OpenAI models if the extra ``text`` is installed, else the estimate. Raises `PolicyError` for an unknown
    value, and `ImportError` for a vocabulary without the extra.
    """
    if tokenizer == ESTIMATE or (tokenizer is None and find_spec("bpe_openai") is None):
        return EstimatedTokenMeasure()
    if callable(tokenizer):
        return TokenMeasure(tokenizer)
    if tokenizer is not None and not isinstance(tokenizer, str):
        allowed = 'a function of a text, the name of a vocabulary, "estimate", or None'
        raise PolicyError("Window.tokenizer", tokenizer, allowed)
    return TokenMeasure(_vocabulary(tokenizer or _VOCABULARY))


@lru_cache(maxsize=8)
def _vocabulary(name: str) -> Tokenizer:
    with warnings.catch_warnings():
        # bpe_openai opens its data with a function that is deprecated since Python 3.11.
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            from bpe_openai import get_encoding, list_encoding_names  # type: ignore[import-untyped]
        except ImportError as error:
            raise ImportError('counting real tokens requires the extra `text`: pip install "l0-otel[text]"') from error
    if name not in list_encoding_names():
        known = ", ".join(sorted(list_encoding_names()))
        raise PolicyError("Window.tokenizer", name, f'{known}, "estimate", a function, or None')
    tokenizer: Tokenizer = get_encoding(name).encode_ordinary
    return tokenizer


def _encoded(text: str) -> bytes:
    return text.encode(errors="surrogatepass")
