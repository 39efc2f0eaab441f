"""Cuts a streamed text into segments: sentences and lines, short enough to hold, the same however the text arrives.

All that drift knows of a text it learns from its segments. Where they end depends on the text alone, so verdicts cannot
depend on how a provider or the network cut it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

LONGEST = 256
"""Characters of a segment, at most: a sentence that is longer is cut at its last space."""

_CLOSERS = 3
_END = re.compile(
    # All begin with one of a set, which `re` looks for at once.
    r"[\n.!?…\u3002\uff01\uff1f](?:(?<=[\n\u3002\uff01\uff1f])|(?<=[.!?…])[\"')\]»\u201c\u201d\u2019*_]{0,3}[ \t])"
)
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})[ \t]*([\w+#.-]*)")
_WORD = re.compile(r"[^\W\d_]+")
_ASCII_LETTERS = bytes(code if chr(code).isalpha() else ord(" ") for code in range(128)).ljust(256)
"""For `bytes.translate`: whatever is no letter becomes a blank."""
_QUOTES = "„\u201c\u201d«»"
_QUOTE_SET = frozenset(_QUOTES)


class Segment(NamedTuple):
    """A sentence or a line. ``at``: characters of the answer before it. A tuple, since one is made every few tokens.

    ``starts_line``, ``ends_line``: whether it is the first, the last of its line. ``fence``: the language that a code
    block around it was opened with (``""`` for none), ``None`` outside of code; the fences themselves belong to it.
    ``quoted``: it begins inside a quotation. ``longest``: letters of its longest word.
    """

    text: str
    at: int
    starts_line: bool
    ends_line: bool
    fence: str | None
    quoted: bool
    lowered: str
    words: frozenset[str]
    longest: int


_make = tuple.__new__  # a NamedTuple's own constructor costs three times as much


class Segmenter:
    """Makes segments of one answer, whose end ends its last line as well."""

    __slots__ = ("_at", "_block", "_fence", "_language", "_line_start", "_quoted", "_tail")

    def __init__(self) -> None:
        self._tail = ""
        self._at = 0
        self._line_start = True
        self._fence = ""
        self._language = ""
        self._quoted = self._block = False

    def feed(self, text: str) -> Sequence[Segment]:
        """The segments that this text completes. Empty lines are left out."""
        # An end that reaches into the new text begins at most so far before it: what lies further back was searched.
        searched = max(0, len(self._tail) - _CLOSERS - 1)
        rest = self._tail + text if self._tail else text
        begin = 0
        made: list[Segment] = []
        while True:
            end = _END.search(rest, max(begin, searched), begin + LONGEST)
            if end:
                stop = end.end()
            elif len(rest) - begin >= LONGEST:
                stop = (rest.rfind(" ", begin, begin + LONGEST) + 1) or begin + LONGEST
            else:
                break
            if self._line_start and stop - begin == 1 and rest[begin] == "\n":
                self._at += 1
            else:
                made.append(self._segment(rest[begin:stop], ended=rest[stop - 1] == "\n"))
            begin = stop
        self._tail = rest[begin:] if begin else rest
        return made

    def finish(self) -> Sequence[Segment]:
        """What is left when the answer is over."""
        rest, self._tail = self._tail, ""
        return (self._segment(rest, ended=True),) if rest else ()

    def _segment(self, text: str, *, ended: bool) -> Segment:
        starts_line = self._line_start
        opened = self._fence
        if starts_line and ("```" in text or "~~~" in text):
            self._enter_or_leave(text)
        fence = self._language if opened or self._fence else None
        if starts_line:
            self._block = text.startswith(">")
        lowered = text.lower()
        words = frozenset(_words(lowered))
        longest = max(map(len, words), default=0)
        quoted = self._quoted or self._block
        made = _make(Segment, (text, self._at, starts_line, ended, fence, quoted, lowered, words, longest))
        self._at += len(text)
        self._line_start = ended
        # A quotation that nobody closed ends with its line.
        self._quoted = not ended and in_quotation(text, len(text), self._quoted)
        return made

    def _enter_or_leave(self, text: str) -> None:
        mark = _FENCE.match(text)
        if not mark:
            return
        if not self._fence:
            self._fence, self._language = mark[1], mark[2].lower()
        elif mark[1].startswith(self._fence) and not mark[2]:
            self._fence = ""


def _words(lowered: str) -> list[str]:
    """Runs of letters."""
    if lowered.isascii():  # the same, five times as fast
        return lowered.encode().translate(_ASCII_LETTERS).decode().split()
    return _WORD.findall(lowered)


def holds_quotation(segment: Segment) -> bool:
    """Whether any of it stands in quotation marks."""
    text = segment.text
    return segment.quoted or '"' in text or not (text.isascii() or _QUOTE_SET.isdisjoint(text))


def in_quotation(text: str, place: int, quoted: bool = False) -> bool:
    """Whether a place of a text is inside quotation marks. ``quoted``: the text begins inside some.

    Every mark turns it over: what opens in one language closes in another.
    """
    ascii_only = text.isascii()
    if ascii_only and '"' not in text:
        return quoted
    marks = text.count('"', 0, place)
    if not ascii_only:
        marks += sum(text.count(mark, 0, place) for mark in _QUOTES)
    return quoted ^ (marks % 2 == 1)
