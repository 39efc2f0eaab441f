"""Lines of styled text, and their wrapping. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal
from unicodedata import combining, east_asian_width

Style = Literal["", "dim", "strong", "good", "odd", "bad"]
Part = tuple[str, Style]
NO_BREAK = "\u00a0"
"""A space at which a row is not broken. It is shown as a space."""
Row = Sequence[Part]
"""One row of a screen."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of any length. ``hang``: the text that begins each row after the first, if the line is wrapped."""

    parts: tuple[Part, ...]
    hang: str = ""

    @property
    def plain_text(self) -> str:
        """Return the text in one row, without styles and no-break spaces."""
        return self.text.replace(NO_BREAK, " ").rstrip()

    @property
    def text(self) -> str:
        """Return the text without styles."""
        return "".join(text for text, _ in self.parts)

    def rows(self, width: int | None) -> Iterator[Row]:
        """Yield rows of at most ``width`` columns, broken at spaces if possible. ``None``: a single row."""
        if width is None:
            yield tuple(_shown(part) for part in self.parts)
            return
        text, start, prefix = self.text, 0, ""
        while True:
            end = _row_end(text, start, max(width - columns(prefix), 1))
            yield ((prefix, "dim"), *self._between(start, len(text[:end].rstrip())))
            start = end + len(text[end:]) - len(text[end:].lstrip(" "))
            if start >= len(text):
                return
            prefix = self.hang

    def _between(self, start: int, end: int) -> Iterator[Part]:
        offset = 0
        for text, style in self.parts:
            piece = text[max(start - offset, 0) : max(end - offset, 0)]
            if piece:
                yield _shown((piece, style))
            offset += len(text)


def _shown(part: Part) -> Part:
    text, style = part
    return text.replace(NO_BREAK, " "), style


def columns(text: str) -> int:
    """Return the width of the text in columns of a terminal."""
    if text.isascii():
        return len(text)
    return sum(_columns_of(character) for character in text)


def _columns_of(character: str) -> int:
    if combining(character):
        return 0
    return 2 if east_asian_width(character) in "WF" else 1


def _row_end(text: str, start: int, room: int) -> int:
    """Return the end of the row that begins at ``start``: at a space, or in a word of more than ``room`` columns."""
    used = 0
    for position in range(start, len(text)):
        used += _columns_of(text[position])
        if used > room:
            space = text.rfind(" ", start, position + 1)
            return space if text[start:space].strip() and space > start else max(position, start + 1)
    return len(text)
