"""Servers whose ``index`` of a choice is the number of the token: text-generation-inference, for example."""

from __future__ import annotations


class TokenNumbers:
    """Decides if the indices of an answer with one choice count its tokens: 1 and 2, with one fragment of text each."""

    def __init__(self) -> None:
        self.found = False
        self._first: dict[int, str] | None = {}

    def add(self, index: int, text: str) -> list[str]:
        """Add text that came under an index above 0. Return the fragments now known to belong to the first choice."""
        if self.found:
            return [text]
        if self._first is None or index in self._first:
            self._first = None
            return []
        self._first[index] = text
        if len(self._first) < 2:
            return []
        fragments, self.found = list(self._first.values()), list(self._first) == [1, 2]
        self._first = None
        return fragments if self.found else []
