"""A text as whole lines, however it is cut. A line is seen once, when its end has come."""

from __future__ import annotations


class Lines:
    """``at``: characters of the text before the line that is being put together."""

    __slots__ = ("_pieces", "at")

    def __init__(self) -> None:
        self.at = 0
        self._pieces: list[str] = []

    def feed(self, text: str) -> list[str]:
        """The lines that end in this text, without their ends; the caller adds up `at` as it reads them."""
        if "\n" not in text:
            self._pieces.append(text)
            return []
        *lines, rest = text.split("\n")
        if self._pieces:
            lines[0] = "".join((*self._pieces, lines[0]))
        self._pieces = [rest] if rest else []
        return lines

    def rest(self) -> str:
        """The last line, which has no end."""
        return "".join(self._pieces)
