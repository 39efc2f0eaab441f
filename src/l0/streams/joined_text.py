"""Join the pieces of a growing text, each of them once."""

from __future__ import annotations

from collections.abc import Sequence


class JoinedText:
    """The text of the first pieces of a list that only grows. Safe to use from several threads."""

    __slots__ = ("_joined",)

    def __init__(self) -> None:
        self._joined: list[tuple[str, int]] = []
        """The text so far and the number of its pieces; taken out while it grows. Then nothing else refers to the text,
        so that CPython appends in place, and another thread joins its own text."""

    def first(self, pieces: Sequence[str], count: int) -> str:
        """Return the text of the first ``count`` pieces. Only what is new since the last call is joined."""
        try:
            text, done = self._joined.pop()
        except IndexError:
            text, done = "", 0
        if count < done:
            self._joined.append((text, done))
            return "".join(pieces[:count])
        text += "".join(pieces[done:count])
        self._joined[:] = [(text, count)]
        return text
