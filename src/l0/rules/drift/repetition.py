"""Detect repetition: an answer loops over the same sentences, words or letter.

Verse, lists and refrains repeat as well, but with new text between the repeats. A loop has no new text.
"""

from __future__ import annotations

import re
from collections import deque
from typing import ClassVar

from ..families import Family
from .detector import DriftFinding, Thresholds, confidence
from .segments import Segment

_KEPT_SEGMENTS = 64
"""Number of segments that are remembered, which limits the longest loop that can be found."""
_MIN_CHARS = 12
"""A shorter segment (a brace, a number, a `yes.`) does not count as a repeat, but a new one ends a loop."""
_MIN_WORDS, _MANY_WORDS = 8, 20
"""A run of repeats with at least the first number of words counts half; with at least the second, in full."""
_FEW = 0.5
"""A segment with a greater share of different words is not examined. Prose has 0.7 or more."""
_LONGEST_PERIOD = 12
"""Maximum number of words that a loop within one segment repeats."""
_LETTERS = 16
"""Number of equal letters in a row that count as a loop."""
_LETTER_RUN = re.compile(rf"\b[^\W\d_]*?([^\W\d_A-Z])\1{{{_LETTERS - 1}}}")
_CODE_REPEATS = 2
"""Factor of the required repeats inside a code block, since correct code repeats itself."""


class Repetition:
    """Detects the same text many times in a row."""

    MESSAGE: ClassVar[str] = "the answer repeats itself in a loop"
    FAMILIES: ClassVar = frozenset({Family.LOOP})
    USES_WINDOW: ClassVar[bool] = False
    __slots__ = ("_known", "_order", "_repeats", "_run")

    def __init__(self, thresholds: Thresholds) -> None:
        self._repeats = thresholds.repeats
        self._order: deque[str] = deque()
        """The last segments."""
        self._known: dict[str, int] = {}
        """Number of times that each of them occurs among the last segments."""
        self._run: list[str] = []
        """The repeated segments since the last new one."""

    def read(self, segment: Segment) -> DriftFinding | None:
        text = segment.lowered.strip()
        words = segment.words
        if not words and not any(map(str.isalnum, text)):
            return None
        if (  # cheapest condition first: a word of 16 letters is rare, so the pattern hardly ever runs
            segment.longest_word >= _LETTERS
            and segment.code_language is None
            and _LETTER_RUN.search(segment.text)
            and "`" not in segment.text
        ):
            return DriftFinding(at=segment.at, confidence=0.9, continues=True)
        needed = self._repeats * (1 if segment.code_language is None else _CODE_REPEATS)
        times = max(self._count_rounds(text, bool(words)), _count_loops(text, words)) / needed
        if times < 1:
            return None
        return DriftFinding(at=segment.at, confidence=confidence(times, 1.0), continues=True)

    def _count_rounds(self, key: str, has_words: bool) -> float:
        """Return how often the segments since the last new segment have occurred, including the first time."""
        times = self._known.get(key, 0)
        if not times:
            self._run.clear()
        elif has_words and len(key) >= _MIN_CHARS:
            self._run.append(key)
            del self._run[:-_KEPT_SEGMENTS]
        self._order.append(key)
        self._known[key] = times + 1
        if len(self._order) > _KEPT_SEGMENTS:
            oldest = self._order.popleft()
            self._known[oldest] -= 1
            if not self._known[oldest]:
                del self._known[oldest]
        return 1 + len(self._run) / len(set(self._run)) if self._run else 1.0


def _count_loops(text: str, distinct_words: frozenset[str]) -> float:
    """Return how often a segment repeats the same words in a row. A short run counts half: it may be intended."""
    # Counting blanks is cheaper than splitting, and ordinary text returns here.
    count = text.count(" ") + 1
    if count < _MIN_WORDS or len(distinct_words) > _FEW * count:
        return 1.0
    words = text.split()
    best = 1.0
    for period in range(1, min(_LONGEST_PERIOD, len(words) // 2) + 1):
        run = longest = 0
        for word, earlier in zip(words[period:], words, strict=False):
            run = run + 1 if word == earlier else 0
            longest = max(longest, run)
        if longest + period >= _MIN_WORDS:
            times = 1 + longest / period
            best = max(best, times if longest + period >= _MANY_WORDS else times / 2)
    return best
