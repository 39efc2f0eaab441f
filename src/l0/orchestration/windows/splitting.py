"""Cut a document into windows. Pure and lazy: only a few windows of text are in memory.

A window takes as much text as fits, and ends at the last boundary within it: after a paragraph, after a sentence, or
between words, in this order of preference. `BOUNDARIES` lists which of these a strategy uses; ``char`` uses none, and
cuts anywhere. The next window begins with the end of this one (the overlap), at a boundary. No text is lost or changed:
each window is a part of the document.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Literal, Protocol

from l0.model.policy import PolicyError

from .text_measures import Measure

Strategy = Literal["token", "char", "paragraph", "sentence"]

_PARAGRAPH = re.compile(r"\n[^\S\n]*\n\s*")
_CLOSING = "\"'\u2019\u201d\u00bb)\\]"
_WIDE_END, _WIDE_CLOSING = "\u3002\uff01\uff1f", "\u2019\u201d\u300f\u300d\uff09"
_SENTENCE = re.compile(
    # Initials and titles also end with a full stop.
    r"(?<!\b[A-Z])(?<!\bMr)(?<!\bMs)(?<!\bDr)(?<!\bSt)(?<!\bMrs)(?<!\bProf)(?<!\be\.g)(?<!\bi\.e)(?<!\bvs)(?<!\bNo)"
    rf"[.!?\u2026]+[{_CLOSING}]*\s+"
    rf"|[{_WIDE_END}]+[{_WIDE_CLOSING}]*\s*"
    r"|\n[^\S\n]*\n\s*"
)


class Boundaries(Protocol):
    """A kind of boundary at which a document may be cut."""

    def last(self, text: str, after: int, limit: int) -> int | None:
        """Return the last boundary after ``after`` and up to ``limit``, or ``None``. Requires ``limit < len(text)``."""
        ...

    def first(self, text: str, minimum: int, limit: int) -> int | None:
        """Return the first boundary from ``minimum`` on and before ``limit``, or ``None``."""
        ...


class PatternBoundaries:
    """Boundaries at the ends of a pattern's matches, unless a lower-case letter follows. Matches include the white
    space after a sentence or paragraph."""

    def __init__(self, pattern: re.Pattern[str]) -> None:
        self._pattern = pattern

    def last(self, text: str, after: int, limit: int) -> int | None:
        found = None
        for boundary in self._boundaries(text, limit):
            if boundary > after:
                found = boundary
        return found

    def first(self, text: str, minimum: int, limit: int) -> int | None:
        return next((each for each in self._boundaries(text, limit) if minimum <= each < limit), None)

    def _boundaries(self, text: str, limit: int) -> Iterator[int]:
        for match in self._pattern.finditer(text, 0, limit):
            if match.end() == len(text) or not text[match.end()].islower():
                yield match.end()


class WhitespaceBoundaries:
    """Boundaries next to white space.

    Scripts without blanks have few of them. So `last` ignores those in the first half of a window, lest it become very
    short, and `first` those in the second half of an overlap, lest it almost vanish.
    """

    def last(self, text: str, after: int, limit: int) -> int | None:
        for boundary in range(limit, max(after, limit // 2), -1):
            if text[boundary - 1].isspace() or text[boundary].isspace():
                return boundary
        return None

    def first(self, text: str, minimum: int, limit: int) -> int | None:
        for boundary in range(minimum, minimum + (limit - minimum) // 2):
            if boundary == 0 or text[boundary - 1].isspace():
                return boundary
        return None


_PARAGRAPHS, _SENTENCES, _GAPS = PatternBoundaries(_PARAGRAPH), PatternBoundaries(_SENTENCE), WhitespaceBoundaries()
BOUNDARIES: dict[Strategy, tuple[Boundaries, ...]] = {
    "char": (),
    "token": (_GAPS,),
    "sentence": (_SENTENCES, _GAPS),
    "paragraph": (_PARAGRAPHS, _SENTENCES, _GAPS),
}
"""Kinds of boundaries of each strategy, the preferred one first."""


class _Buffer:
    """The part of the document that is being cut. It reads no more than it needs."""

    def __init__(self, pieces: Iterable[str]) -> None:
        self._pieces = iter(pieces)
        self._piece = ""
        self._used = 0  # characters of `_piece` that are in the buffer already
        self.text = ""
        self.offset = 0  # characters of the document before the buffer
        self.ended = False

    def fill(self, length: int) -> None:
        """Read until the buffer holds ``length`` characters or the document ends."""
        # Parts are joined once: adding each piece to the text would copy it every time.
        parts, missing = [self.text], length - len(self.text)
        while missing > 0 and not self.ended:
            if self._used == len(self._piece):
                self._next()
            part = self._piece[self._used : self._used + missing]
            self._used += len(part)
            missing -= len(part)
            parts.append(part)
        self.text = "".join(parts)

    def _next(self) -> None:
        self._used = 0
        try:
            self._piece = next(self._pieces)
        except StopIteration:
            self._piece, self.ended = "", True
        if not isinstance(self._piece, str):
            raise PolicyError(
                "Window.document", f"a piece of type {type(self._piece).__name__}", "pieces of text (str)"
            )

    def drop(self, length: int) -> None:
        """Remove ``length`` characters from the start of the buffer."""
        self.text = self.text[length:]
        self.offset += length


def cut(pieces: Iterable[str], strategy: Strategy, size: int, overlap: int, unit: Measure) -> Iterator[tuple[int, str]]:
    """Yield windows as (offset in characters, text). ``size`` and ``overlap`` are in ``unit``; overlap < size.

    A window measures more than ``size`` only if a single character does.
    """
    buffer, kinds = _Buffer(pieces), BOUNDARIES[strategy]
    covered = 0  # characters at the start of the buffer that were in the previous window
    while True:
        limit = _limit(buffer, size, unit)
        if limit == len(buffer.text):
            if limit > covered:
                yield buffer.offset, buffer.text
            return
        begin, end = _next_window(buffer, covered, limit, kinds, size, unit)
        buffer.drop(begin)
        yield buffer.offset, buffer.text[:end]
        keep = _overlap(buffer.text[:end], overlap, kinds, unit)
        buffer.drop(end - keep)
        covered = keep


def _limit(buffer: _Buffer, size: int, unit: Measure) -> int:
    """Return how many characters of the buffer fit into a window. All of them fit only if the document ends there."""
    length = 8 * size  # few texts have more than 8 characters per unit; doubled if this one has
    while True:
        buffer.fill(length)
        limit = unit.head(buffer.text, size)
        if limit < len(buffer.text) or buffer.ended:
            return limit or min(1, len(buffer.text))
        length *= 2


def _next_window(
    buffer: _Buffer, covered: int, limit: int, kinds: tuple[Boundaries, ...], size: int, unit: Measure
) -> tuple[int, int]:
    """Return start and length of the next window.

    It starts at 0 and repeats the overlap, unless it can end at a better boundary without the overlap.
    """
    text = buffer.text
    for kind in kinds:
        if found := kind.last(text, covered, limit):
            return 0, found
        if covered:
            limit_without_overlap = covered + unit.head(text[covered:], size)
            if limit_without_overlap < len(text):
                found = kind.last(text, covered, limit_without_overlap)
            elif buffer.ended:
                found = len(text)
            if found:
                return covered, found - covered
    return 0, max(limit, covered + 1)


def _overlap(window: str, overlap: int, kinds: tuple[Boundaries, ...], unit: Measure) -> int:
    """Return the length of the window's end that the next window repeats; always less than the window."""
    minimum = len(window) - (unit.tail(window, overlap) if overlap else 0)
    if not 0 < minimum < len(window):
        return 0
    for kind in kinds:
        if (found := kind.first(window, minimum, len(window))) is not None:
            return len(window) - found
    return len(window) - minimum
