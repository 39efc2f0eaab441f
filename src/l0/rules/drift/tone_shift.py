"""Detect tone shifts: formal writing turns casual, or casual writing turns formal, in English, German or Spanish.

The evidence is words that belong to only one register. Most sentences contain none and are ignored.
"""

from __future__ import annotations

import re
from collections import deque
from typing import ClassVar

from ..families import Family
from .detector import DriftFinding, Thresholds
from .segments import Segment, holds_quotation
from .tone_words import CASUAL, FORMAL, NOMINAL

_MARKS = re.compile(r"!{2,}|¡¡|[:;]-?[)DP(](?!\w)|[\U0001f600-\U0001f64f\U0001f389\U0001f525\U0001f602]")
_CONTRACTED = re.compile(r"\w['\u2019](?:t|re|ll|ve|m)\b")
_WEAK = 0.34
"""Weight of a long noun, and of a contraction or an exclamation mark next to a casual word."""
_LONG_WORD = 9
"""Fewest letters of a noun that counts as formal because of its ending."""
_MIN_BEFORE, _MIN_AFTER = 1.5, 2.5
"""Minimum weight of the words of a register before and after the shift."""
_ENOUGH = 6.0
"""Weight on both sides together that full confidence requires."""
_MIN_CHARS = 60
"""Minimum distance from the first evidence to the shift, in characters."""

_Count = tuple[int, float, float]
"""Offset of a segment, weight of its formal words, weight of its casual words."""


class ToneShift:
    """Compares the register of the last ``window`` characters with that of the ``window`` characters before them."""

    MESSAGE: ClassVar[str] = "the answer changes between a formal and a casual tone"
    FAMILIES: ClassVar = frozenset({Family.TONE})
    USES_WINDOW: ClassVar[bool] = True
    __slots__ = ("_counts", "_window")

    def __init__(self, thresholds: Thresholds) -> None:
        self._window = thresholds.window
        self._counts: deque[_Count] = deque()

    def read(self, segment: Segment) -> DriftFinding | None:
        if segment.code_language is not None:
            return None
        formal, casual = _formal(segment), _casual(segment)
        if not (formal or casual) or holds_quotation(segment):
            return None
        self._counts.append((segment.at, formal, casual))
        while segment.at - self._counts[0][0] > 2 * self._window:
            self._counts.popleft()
        return self._shift(segment.at)

    def _shift(self, end: int) -> DriftFinding | None:
        """Return a finding at the split of the window whose two parts differ most, or ``None``."""
        best: DriftFinding | None = None
        formal = sum(count[1] for count in self._counts)
        casual = sum(count[2] for count in self._counts)
        if formal < _MIN_BEFORE or casual < _MIN_BEFORE:
            return None
        first = self._counts[0][0]
        formal_before = casual_before = 0.0
        for at, formal_here, casual_here in self._counts:
            if at - first >= _MIN_CHARS and end - at <= self._window:
                confidence = _certainty(formal_before, casual_before, formal - formal_before, casual - casual_before)
                if confidence and (best is None or confidence > best.confidence):
                    best = DriftFinding(at=at, confidence=confidence)
            formal_before += formal_here
            casual_before += casual_here
        return best


def _formal(segment: Segment) -> float:
    strong = len(FORMAL & segment.words)
    if segment.longest_word < _LONG_WORD:
        return strong
    return strong + _WEAK * sum(len(word) >= _LONG_WORD and word.endswith(NOMINAL) for word in segment.words)


def _casual(segment: Segment) -> float:
    text = segment.text
    strong = len(CASUAL & segment.words)
    # The pattern is searched only if one of its first characters may occur: most sentences have none.
    if "!" in text or ":" in text or ";" in text or not text.isascii():
        strong += len(_MARKS.findall(text))
    return strong + _WEAK * (text.count("!") + len(_CONTRACTED.findall(text))) if strong else 0.0


def _certainty(formal: float, casual: float, formal_after: float, casual_after: float) -> float:
    """Return the confidence of a shift (0 to 1), from the distance of the registers and the weight of the evidence."""
    before, after = formal + casual, formal_after + casual_after
    if before < _MIN_BEFORE or after < _MIN_AFTER:
        return 0.0
    distance = abs((formal - casual) / before - (formal_after - casual_after) / after) / 2
    return round(distance * min(1.0, (before + after) / _ENOUGH), 3)
