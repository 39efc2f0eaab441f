"""Split a streamed text into lines. Each line is returned once, as soon as it is complete."""

from __future__ import annotations


class Lines:
    """A line buffer. ``at``: number of characters of the text before the incomplete line."""

    __slots__ = ("_pieces", "at")

    def __init__(self) -> None:
        self.at = 0
        self._pieces: list[str] = []

    def feed(self, text: str) -> list[str]:
        """Return the lines that end in this text, without their line ends.

        The caller advances `at` as it reads them.
        """
        if "\n" not in text:
            self._pieces.append(text)
            return []
        *lines, rest = text.split("\n")
        if self._pieces:
            lines[0] = "".join((*self._pieces, lines[0]))
        self._pieces = [rest] if rest else []
        return lines

    def rest(self) -> str:
        """Return the last line, which has no line end."""
        return "".join(self._pieces)
