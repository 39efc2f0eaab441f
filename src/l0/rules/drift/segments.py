"""Split streamed text into segments: sentences and lines of bounded length.

The detectors read segments only. The ends of segments depend on the text alone, so that findings do not depend on how
a provider or the network split the text into chunks.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

MAX_SEGMENT = 256
"""Maximum length of a segment, in characters. A longer sentence is cut at its last space before that."""

_CLOSING_MARKS = 3
"""Number of closing quotation marks and the like that may follow the end of a sentence."""
_END = re.compile(
    # The pattern begins with one character set, since `re` scans for a leading set in C; a leading alternation is slow.
    r"[\n.!?…\u3002\uff01\uff1f](?:(?<=[\n\u3002\uff01\uff1f])|(?<=[.!?…])[\"')\]»\u201c\u201d\u2019*_]{0,3}[ \t])"
)
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})[ \t]*([\w+#.-]*)")
_WORD = re.compile(r"[^\W\d_]+")
_ASCII_LETTERS = bytes(code if chr(code).isalpha() else ord(" ") for code in range(128)).ljust(256)
"""Table for `bytes.translate`: every character that is not a letter becomes a blank."""
_QUOTES = "„\u201c\u201d«»"
_QUOTE_SET = frozenset(_QUOTES)


class Segment(NamedTuple):
    """A sentence or a line of an answer.

    ``at``: offset in the answer, in characters. ``starts_line``, ``ends_line``: true for the first and last segment of
    a line. ``code_language``: language of the surrounding code block (``""`` if it names none), or ``None`` outside of
    code; the fence lines belong to the block. ``quoted``: true if the segment begins inside quotation marks, or is part
    of a Markdown block quote. ``lowered``: the text in lower case. ``words``: its different words, in lower case.
    ``longest_word``: the length of the longest, in letters.

    This is a tuple for speed: one is made every few tokens.
    """

    text: str
    at: int
    starts_line: bool
    ends_line: bool
    code_language: str | None
    quoted: bool
    lowered: str
    words: frozenset[str]
    longest_word: int


_make = tuple.__new__  # the constructor of a NamedTuple takes three times as long


class Segmenter:
    """Splits one answer into segments. The end of the answer also ends its last line."""

    __slots__ = ("_at", "_fence_mark", "_in_block_quote", "_language", "_line_start", "_quoted", "_tail")

    def __init__(self) -> None:
        self._tail = ""  # the beginning of the next segment
        self._at = 0  # its offset in the answer
        self._line_start = True
        self._fence_mark = ""
        self._language = ""
        self._quoted = self._in_block_quote = False

    def feed(self, text: str) -> Sequence[Segment]:
        """Return the segments that ``text`` completes, without empty lines."""
        # The end of a sentence is at most _CLOSING_MARKS + 2 characters long. So only the last characters of the tail
        # are searched again, and the work per chunk does not depend on the length of the sentence.
        searched = max(0, len(self._tail) - _CLOSING_MARKS - 1)
        rest = self._tail + text if self._tail else text
        begin = 0
        segments: list[Segment] = []
        while True:
            end = _END.search(rest, max(begin, searched), begin + MAX_SEGMENT)
            if end:
                stop = end.end()
            elif len(rest) - begin >= MAX_SEGMENT:
                stop = (rest.rfind(" ", begin, begin + MAX_SEGMENT) + 1) or begin + MAX_SEGMENT
            else:
                break
            # An empty line has nothing to detect, so no segment is made for it.
            if self._line_start and stop - begin == 1 and rest[begin] == "\n":
                self._at += 1
            else:
                segments.append(self._segment(rest[begin:stop], ended=rest[stop - 1] == "\n"))
            begin = stop
        self._tail = rest[begin:] if begin else rest
        return segments

    def finish(self) -> Sequence[Segment]:
        """Return the remaining segment at the end of the answer, if there is one."""
        rest, self._tail = self._tail, ""
        return (self._segment(rest, ended=True),) if rest else ()

    def _segment(self, text: str, *, ended: bool) -> Segment:
        starts_line = self._line_start
        opened = self._fence_mark
        if starts_line and ("```" in text or "~~~" in text):
            self._update_fence(text)
        code_language = self._language if opened or self._fence_mark else None
        if starts_line:
            self._in_block_quote = text.startswith(">")
        lowered = text.lower()
        words = frozenset(_words(lowered))
        longest_word = max(map(len, words), default=0)
        quoted = self._quoted or self._in_block_quote
        segment = _make(
            Segment, (text, self._at, starts_line, ended, code_language, quoted, lowered, words, longest_word)
        )
        self._at += len(text)
        self._line_start = ended
        # An unclosed quotation ends with its line.
        self._quoted = not ended and in_quotation(text, len(text), self._quoted)
        return segment

    def _update_fence(self, text: str) -> None:
        mark = _FENCE.match(text)
        if not mark:
            return
        if not self._fence_mark:
            self._fence_mark, self._language = mark[1], mark[2].lower()
        elif mark[1].startswith(self._fence_mark) and not mark[2]:
            self._fence_mark = ""


def _words(lowered: str) -> list[str]:
    """Return the runs of letters in a text."""
    if lowered.isascii():  # same result as the pattern, five times as fast
        return lowered.encode().translate(_ASCII_LETTERS).decode().split()
    return _WORD.findall(lowered)


def holds_quotation(segment: Segment) -> bool:
    """Return True if any part of the segment is in quotation marks or in a Markdown block quote."""
    text = segment.text
    return segment.quoted or '"' in text or not (text.isascii() or _QUOTE_SET.isdisjoint(text))


def in_quotation(text: str, place: int, quoted: bool = False) -> bool:
    """Return True if the offset ``place`` is inside quotation marks. ``quoted``: the text begins inside a quotation.

    Every mark toggles the state, since a mark that opens a quotation in one language closes it in another.
    """
    ascii_only = text.isascii()
    if ascii_only and '"' not in text:
        return quoted
    marks = text.count('"', 0, place)
    if not ascii_only:
        marks += sum(text.count(mark, 0, place) for mark in _QUOTES)
    return quoted ^ (marks % 2 == 1)
