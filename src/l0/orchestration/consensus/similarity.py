"""Similarity of two answers, from 0 to 1. Pure.

Texts are compared without white space. Equal texts have similarity 1. Other texts are compared by rapidfuzz (the share
of characters that two texts have in common, in order) or by a function of the user. Texts with different numbers have
similarity 0: a digit is a small part of a text, but often the only part that matters. Structures are compared part by
part.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.util import find_spec
from math import isclose
from typing import Any

Similarity = Callable[[str, str], float]
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")


def equal(left: Any, right: Any) -> bool:
    """Return True if two values are deeply equal. Stop at the first difference.

    ``True`` is not equal to ``1``; white space in texts is ignored; numbers are equal within a relative error of 1e-9.
    """
    match left, right:
        case str(), str():
            return left == right or left.split() == right.split()
        case bool(), _:
            return left is right
        case _, bool():
            return False
        case ((int() | float()), (int() | float())):
            return left == right or isclose(left, right, rel_tol=1e-9)
        case Mapping(), Mapping():
            return left.keys() == right.keys() and all(equal(value, right[key]) for key, value in left.items())
    if is_list(left) and is_list(right):
        return len(left) == len(right) and all(map(equal, left, right))
    return bool(left == right)


def likeness(left: Any, right: Any, similarity: Similarity) -> float:
    """Return the similarity of two answers or parts: 1 if they are equal, the mean of the parts for a structure."""
    if equal(left, right):
        return 1.0
    match left, right:
        case str(), str():
            return similarity(left, right)
        case Mapping(), Mapping():
            keys = left.keys() | right.keys()
            shared = left.keys() & right.keys()
            return sum(likeness(left[key], right[key], similarity) for key in shared) / len(keys)
    if is_list(left) and is_list(right):
        longest = max(len(left), len(right))
        return sum(likeness(a, b, similarity) for a, b in zip(left, right, strict=False)) / longest
    return 0.0


def unequal_texts(left: Any, right: Any) -> Iterator[tuple[str, str]]:
    """Yield every pair of unequal texts that `likeness` would compare."""
    if isinstance(left, str) and isinstance(right, str):
        if not equal(left, right):
            yield left, right
    elif isinstance(left, Mapping) and isinstance(right, Mapping):
        for key in left.keys() & right.keys():
            yield from unequal_texts(left[key], right[key])
    elif is_list(left) and is_list(right):
        for pair in zip(left, right, strict=False):
            yield from unequal_texts(*pair)


def is_list(value: Any) -> bool:
    """Return True for a sequence that is not a text."""
    return isinstance(value, Sequence) and not isinstance(value, (str, bytes))


def by_characters(left: str, right: str) -> float:
    """Return the default similarity of two texts. Requires the extra ``text``."""
    from rapidfuzz.fuzz import ratio

    if _NUMBER.findall(left) != _NUMBER.findall(right):
        return 0.0
    return float(ratio(" ".join(left.split()), " ".join(right.split()))) / 100


def check_available() -> None:
    """Raise `ImportError` without the extra ``text``. Called before any request is sent, so that none is wasted."""
    if find_spec("rapidfuzz") is None:
        raise ImportError(
            'a threshold below 1.0 requires rapidfuzz, from the extra `text`: pip install "l0-otel[text]"; '
            "or pass your own function as `similarity`"
        )
