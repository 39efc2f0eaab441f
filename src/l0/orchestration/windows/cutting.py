"""Where a document is cut into windows. Pure, and lazy: at most a few windows of text are held.

A window takes as much as fits, and ends at the last good place within that: after a paragraph, after a sentence,
between words; where there is none of the first kind, one of the next. The next window begins with the end of this one
(the overlap), from a good place on. Nothing is lost and nothing is changed: each window is a part of the document.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Literal, Protocol

from l0.values.policy import PolicyError

from .measuring import Measure

Strategy = Literal["token", "char", "paragraph", "sentence"]

_PARAGRAPH = re.compile(r"\n[^\S\n]*\n\s*")
_CLOSING = "\"'\u2019\u201d\u00bb)\\]"
_WIDE_END, _WIDE_CLOSING = "\u3002\uff01\uff1f", "\u2019\u201d\u300f\u300d\uff09"
_SENTENCE = re.compile(
    # initials and titles end with a full stop, too
    r"(?<!\b[A-Z])(?<!\bMr)(?<!\bMs)(?<!\bDr)(?<!\bSt)(?<!\bMrs)(?<!\bProf)(?<!\be\.g)(?<!\bi\.e)(?<!\bvs)(?<!\bNo)"
    rf"[.!?\u2026]+[{_CLOSING}]*\s+"
    rf"|[{_WIDE_END}]+[{_WIDE_CLOSING}]*\s*"
    r"|\n[^\S\n]*\n\s*"
)


class Places(Protocol):
    """Good places to cut at."""

    def last(self, text: str, after: int, limit: int) -> int | None:
        """The last place in ``text`` behind ``after``, at most ``limit``, which is less than its length."""
        ...

    def first(self, text: str, least: int, limit: int) -> int | None:
        """The first place in ``text`` that is at least ``least`` and less than ``limit``."""
        ...


class Ends:
    """Places behind what a pattern finds, white space included."""

    def __init__(self, pattern: re.Pattern[str]) -> None:
        self._pattern = pattern

    def last(self, text: str, after: int, limit: int) -> int | None:
        found = None
        for at in self._places(text, limit):
            if at > after:
                found = at
        return found

    def first(self, text: str, least: int, limit: int) -> int | None:
        return next((at for at in self._places(text, limit) if least <= at < limit), None)

    def _places(self, text: str, limit: int) -> Iterator[int]:
        for match in self._pattern.finditer(text, 0, limit):
            if match.end() == len(text) or not text[match.end()].islower():
                yield match.end()


class Gaps:
    """Places beside white space. One in the first half of a text is none: scripts without blanks have few."""

    def last(self, text: str, after: int, limit: int) -> int | None:
        for at in range(limit, max(after, limit // 2), -1):
            if text[at - 1].isspace() or text[at].isspace():
                return at
        return None

    def first(self, text: str, least: int, limit: int) -> int | None:
        for at in range(least, least + (limit - least) // 2):
            if at == 0 or text[at - 1].isspace():
                return at
        return None


_PARAGRAPHS, _SENTENCES, _GAPS = Ends(_PARAGRAPH), Ends(_SENTENCE), Gaps()
PLACES: dict[Strategy, tuple[Places, ...]] = {
    "char": (),
    "token": (_GAPS,),
    "sentence": (_SENTENCES, _GAPS),
    "paragraph": (_PARAGRAPHS, _SENTENCES, _GAPS),
}
"""What a strategy looks for, the best first."""


class _Buffer:
    """The part of the document that is being cut. Takes exactly what it is asked for, however the pieces come."""

    def __init__(self, pieces: Iterable[str]) -> None:
        self._pieces = iter(pieces)
        self._piece = ""
        self._taken = 0  # characters of that piece
        self.text = ""
        self.at = 0
        self.over = False

    def hold(self, length: int) -> None:
        """Read on until so many characters are held, or the document is over."""
        held, wanted = [self.text], length - len(self.text)
        while wanted > 0 and not self.over:
            if self._taken == len(self._piece):
                self._next()
            part = self._piece[self._taken : self._taken + wanted]
            self._taken += len(part)
            wanted -= len(part)
            held.append(part)
        self.text = "".join(held)

    def _next(self) -> None:
        self._taken = 0
        try:
            self._piece = next(self._pieces)
        except StopIteration:
            self._piece, self.over = "", True
        if not isinstance(self._piece, str):
            raise PolicyError("Window.document", f"a piece of type {type(self._piece).__name__}", "pieces of text")

    def drop(self, length: int) -> None:
        """Go on behind so many characters."""
        self.text = self.text[length:]
        self.at += length


def cut(pieces: Iterable[str], strategy: Strategy, size: int, overlap: int, unit: Measure) -> Iterator[tuple[int, str]]:
    """Windows as (characters before it, text). ``size``, ``overlap``: in ``unit``; ``overlap`` is less than ``size``.

    Only a single character that is longer than ``size`` by itself makes a longer window.
    """
    buffer, kinds = _Buffer(pieces), PLACES[strategy]
    covered = 0  # of what is held, this much was in the window before
    while True:
        limit = _limit(buffer, size, unit)
        if limit == len(buffer.text):
            if limit > covered:
                yield buffer.at, buffer.text
            return
        begin, end = _place(buffer, covered, limit, kinds, size, unit)
        buffer.drop(begin)
        yield buffer.at, buffer.text[:end]
        keep = _overlap(buffer.text[:end], overlap, kinds, unit)
        buffer.drop(end - keep)
        covered = keep


def _limit(buffer: _Buffer, size: int, unit: Measure) -> int:
    """Characters that fit into a window; all that are held only where the document ends with them."""
    length = 8 * size
    while True:
        buffer.hold(length)
        limit = unit.head(buffer.text, size)
        if limit < len(buffer.text) or buffer.over:
            return limit or min(1, len(buffer.text))
        length *= 2


def _place(
    buffer: _Buffer, covered: int, limit: int, kinds: tuple[Places, ...], size: int, unit: Measure
) -> tuple[int, int]:
    """Begin and length of the next window. It begins at 0, unless the overlap takes the room of a whole paragraph."""
    text = buffer.text
    for kind in kinds:
        if found := kind.last(text, covered, limit):
            return 0, found
        if covered:
            room = covered + unit.head(text[covered:], size)
            if room < len(text):
                found = kind.last(text, covered, room)
            elif buffer.over:
                found = len(text)
            if found:
                return covered, found - covered
    return 0, max(limit, covered + 1)


def _overlap(window: str, overlap: int, kinds: tuple[Places, ...], unit: Measure) -> int:
    """Characters at the end of a window that the next one begins with: never all of them."""
    least = len(window) - (unit.tail(window, overlap) if overlap else 0)
    if not 0 < least < len(window):
        return 0
    for kind in kinds:
        if (found := kind.first(window, least, len(window))) is not None:
            return len(window) - found
    return len(window) - least
