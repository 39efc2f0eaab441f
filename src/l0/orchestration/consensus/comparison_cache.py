"""Cached comparison of answers: each pair of texts is compared once, although every new answer needs all pairs."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from .similarity import by_characters, check_available, equal, likeness, unequal_texts

UserSimilarity = Callable[[str, str], float | Awaitable[float]]


class Comparison:
    """Compares answers with one threshold. Raises `ImportError` if the threshold needs a missing extra."""

    def __init__(self, threshold: float, similarity: UserSimilarity | None) -> None:
        if similarity is None and threshold < 1:
            check_available()
        self._threshold = threshold
        self._similarity = similarity
        self._known: dict[tuple[str, str], float] = {}
        """The similarity of each pair of texts that were compared, in both orders."""

    async def prepare(self, value: Any, others: Sequence[Any]) -> None:
        """Call the user's function, if there is one, for the texts of a new answer and those of the other answers.

        The function may be async, but `alike` is called in sync code. So all results are fetched here.
        """
        if self._similarity is None:
            return
        for other in others:
            for pair in unequal_texts(value, other):
                if pair not in self._known:
                    result = self._similarity(*pair)
                    if inspect.isawaitable(result):
                        result = await result
                    self._known[pair] = self._known[pair[1], pair[0]] = result

    def alike(self, left: Any, right: Any) -> bool:
        """Return True if two answers, or parts of them, count as the same."""
        if self._similarity is None and self._threshold == 1:
            return equal(left, right)
        return likeness(left, right, self.similarity) >= self._threshold

    def similarity(self, left: str, right: str) -> float:
        """Return the similarity of two unequal texts, 0 to 1."""
        pair = (left, right)
        found = self._known.get(pair)
        if found is None:
            # Unknown pairs are parts of answers, which only a merge compares. The user's function is not called for
            # them, so they count as different.
            found = by_characters(left, right) if self._similarity is None and self._threshold < 1 else 0.0
            self._known[pair] = self._known[right, left] = found
        return found
