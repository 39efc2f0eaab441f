"""Detect Markdown collapse: the markup of an answer breaks.

Rows do not fit their table, headings and list items run into one line, emphasis is opened and never closed, or a code
block contains the prose after it. A single slip is not drift: the detector adds up the weights of all signs.
"""

from __future__ import annotations

from typing import ClassVar

from ..families import Family
from .detector import DriftFinding, Thresholds, confidence
from .markup_signs import Bold, Fence, Table, inline_signs
from .segments import Segment

_LONGEST_LINE = 2048
"""Characters after which a line is evaluated before it has ended."""
_ENOUGH = 1.8
"""Total weight of the signs in the window that gives a confidence of 0.5."""


class MarkdownCollapse:
    """Adds up the weights of broken markup in the lines of a window."""

    MESSAGE: ClassVar[str] = "the Markdown of the answer is broken"
    FAMILIES: ClassVar = frozenset({Family.MARKDOWN})
    USES_WINDOW: ClassVar[bool] = True
    __slots__ = ("_at", "_bold", "_end", "_fence", "_line", "_signs", "_table", "_window")

    def __init__(self, thresholds: Thresholds) -> None:
        self._window = thresholds.window
        self._line = ""
        self._at = 0  # start of the current line
        self._end = 0  # end of the line before
        self._signs: list[tuple[int, float]] = []
        """Position and weight of each line with broken markup in the window."""
        self._table = Table()
        self._bold = Bold()
        self._fence = Fence()

    def read(self, segment: Segment) -> DriftFinding | None:
        if not self._line:
            self._at = segment.at
        self._line += segment.text
        if not segment.ends_line and len(self._line) < _LONGEST_LINE:
            return None
        line, self._line = self._line.rstrip("\n"), ""
        if segment.code_language is None:
            weight = self._table.read(line) + inline_signs(line)
            # No segment is made for an empty line, so a gap before this line means a new block.
            weight += self._bold.read(line, new_block=self._at != self._end)
        else:
            weight = self._fence.read(line, segment.code_language)
        self._end = segment.at + len(segment.text)
        if not weight:
            return None
        self._signs.append((self._at, weight))
        while self._at - self._signs[0][0] > self._window:
            del self._signs[0]
        total = sum(weight for _, weight in self._signs)
        place = max(self._signs[0][0], segment.at - self._window)  # a long line may begin before the window
        return DriftFinding(at=place, confidence=confidence(total, _ENOUGH))
