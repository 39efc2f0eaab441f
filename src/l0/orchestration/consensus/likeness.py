"""How alike two answers are, from 0 to 1. Pure.

Texts are compared without regard to white space: equal ones are alike by 1; others by rapidfuzz (the share of
characters that two texts have in common, in order), or by a function of the user's. Two texts whose numbers differ are
not alike at all: one digit is a small part of a text, and often all that matters. Structures are compared part by part.
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
    """Deep equality; ends at the first difference. ``True`` is not ``1``, and white space in texts does not count."""
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
    """Of two answers or parts of them: 1 for equal ones, the mean of its parts for a structure."""
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
    """Every pair of texts that `likeness` would have to look at."""
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
    """A sequence of parts; a text is none."""
    return isinstance(value, Sequence) and not isinstance(value, (str, bytes))


def by_characters(left: str, right: str) -> float:
    """The similarity that is used where the user gives none. Needs the extra ``text``."""
    from rapidfuzz.fuzz import ratio

    if _NUMBER.findall(left) != _NUMBER.findall(right):
        return 0.0
    return float(ratio(" ".join(left.split()), " ".join(right.split()))) / 100


def check_available() -> None:
    """Raises `ImportError` without the extra: better before anything is sent than after all has been paid for."""
    if find_spec("rapidfuzz") is None:
        raise ImportError(
            'a threshold below 1.0 compares texts with rapidfuzz, of the extra `text`: pip install "l0-otel[text]"; '
            "or give `similarity`, a function of your own"
        )
