"""Join the pieces of a growing text without joining a piece twice."""

from __future__ import annotations

from collections.abc import Sequence


class JoinedText:
    """The text of the first pieces of a list that only grows. Safe to use from several threads."""

    __slots__ = ("_joined",)

    def __init__(self) -> None:
        self._joined: list[tuple[str, int]] = []
        """At most one item: the text so far and the number of its pieces. `first` removes it while it extends the text.
        Without another reference, CPython appends in place; and a second thread, which finds no item, starts anew."""

    def first(self, pieces: Sequence[str], count: int) -> str:
        """Return the text of the first ``count`` pieces. Join only the pieces that are new since the last call."""
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
