"""Detect servers that put the number of the token into ``index`` of a choice, such as text-generation-inference."""

from __future__ import annotations


class TokenNumbers:
    """Decides whether the indices of an answer with one choice are numbers of tokens. They are if 1 and 2 are the first
    indices above 0, in this order and once each.

    ``found``: True once they are known to be numbers of tokens.
    """

    def __init__(self) -> None:
        self.found = False
        self._undecided: dict[int, str] | None = {}
        """The texts so far, by index; ``None`` after the decision."""

    def add(self, index: int, text: str) -> list[str]:
        """Add text that has an index above 0. Return the fragments that are now known to belong to the first choice."""
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
