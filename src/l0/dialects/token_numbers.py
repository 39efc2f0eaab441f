"""Detect servers that put the number of the token into ``index`` of a choice, as text-generation-inference does."""

from __future__ import annotations


class TokenNumbers:
    """Decides if the indices of an answer with one choice are token numbers: the first two must be 1 and 2, once each.

    ``found``: True if they are.
    """

    def __init__(self) -> None:
        self.found = False
        self._undecided: dict[int, str] | None = {}

    def add(self, index: int, text: str) -> list[str]:
        """Add text that came under an index above 0. Return the fragments now known to belong to the first choice."""
        if self.found:
            return [text]
        if self._undecided is None or index in self._undecided:
            self._undecided = None
            return []
        self._undecided[index] = text
        if len(self._undecided) < 2:
            return []
        fragments, self.found = list(self._undecided.values()), list(self._undecided) == [1, 2]
        self._undecided = None
        return fragments if self.found else []
