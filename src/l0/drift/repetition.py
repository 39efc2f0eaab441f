"""Repetition: an answer caught in a loop of sentences, of words, or of one letter.

Verse, lists and refrains repeat too, but something new stands between the repeats. A loop brings nothing new.
"""

from __future__ import annotations

import re
from collections import deque

from .findings import Finding, confidence
from .segments import Segment

_KEPT = 64
"""Segments that are remembered: the longest loop that can be seen."""
_LEAST_CHARS = 12
"""A shorter segment (a brace, a number, a `yes.`) makes no loop, but a new one breaks it."""
_LEAST_WORDS, _MANY_WORDS = 8, 20
_FEW = 0.5
"""A stretch in which fewer words than this share differ is looked at closely: prose has 0.7 and more."""
_LONGEST_PERIOD = 12
_LETTERS = 16
_LETTER_RUN = re.compile(rf"\b[^\W\d_]*?([^\W\d_A-Z])\1{{{_LETTERS - 1}}}")
_CODE_REPEATS = 2
"""Code repeats itself by nature: in a code block it takes so many times more."""


class Repetition:
    """``repeats``: how often in a row the same must be said."""

    __slots__ = ("_known", "_order", "_repeats", "_run")

    def __init__(self, *, repeats: int) -> None:
        self._repeats = repeats
        self._order: deque[str] = deque()
        self._known: dict[str, int] = {}
        self._run: list[str] = []

    def take(self, segment: Segment) -> Finding | None:
        said = segment.lowered.strip()
        words = segment.words
        if not words and not any(map(str.isalnum, said)):
            return None
        if (
            segment.longest >= _LETTERS
            and segment.fence is None
            and _LETTER_RUN.search(segment.text)
            and "`" not in segment.text
        ):
            return Finding(at=segment.at, confidence=0.9)
        needed = self._repeats * (1 if segment.fence is None else _CODE_REPEATS)
        times = max(self._rounds(said, bool(words)), _loops(said, words)) / needed
        return Finding(at=segment.at, confidence=confidence(times, 1.0)) if times >= 1 else None

    def _rounds(self, key: str, worded: bool) -> float:
        """How often what has been said since something new came was said, counting the first time."""
        times = self._known.get(key, 0)
        if not times:
            self._run.clear()
        elif worded and len(key) >= _LEAST_CHARS:
            self._run.append(key)
            del self._run[:-_KEPT]
        self._order.append(key)
        self._known[key] = times + 1
        if len(self._order) > _KEPT:
            oldest = self._order.popleft()
            self._known[oldest] -= 1
            if not self._known[oldest]:
                del self._known[oldest]
        return 1 + len(self._run) / len(set(self._run)) if self._run else 1.0


def _loops(said: str, different: frozenset[str]) -> float:
    """How often a segment says the same words in a row; a short stretch counts half, it may be meant."""
    count = said.count(" ") + 1
    if count < _LEAST_WORDS or len(different) > _FEW * count:
        return 1.0
    words = said.split()
    best = 1.0
    for period in range(1, min(_LONGEST_PERIOD, len(words) // 2) + 1):
        run = longest = 0
        for word, earlier in zip(words[period:], words, strict=False):
            run = run + 1 if word == earlier else 0
            longest = max(longest, run)
        if longest + period >= _LEAST_WORDS:
            times = 1 + longest / period
            best = max(best, times if longest + period >= _MANY_WORDS else times / 2)
    return best
