"""The likeness of answers, remembered: each pair is looked at once, though every new answer asks anew."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from .likeness import by_characters, check_available, equal, likeness, unequal_texts

UserSimilarity = Callable[[str, str], float | Awaitable[float]]


class Comparison:
    """Compares by one threshold. Raises `ImportError` where that needs an extra which is not installed."""

    def __init__(self, threshold: float, similarity: UserSimilarity | None) -> None:
        if similarity is None and threshold < 1:
            check_available()
        self._threshold = threshold
        self._similarity = similarity
        self._known: dict[tuple[str, str], float] = {}

    async def learn(self, value: Any, others: Sequence[Any]) -> None:
        """Ask the user's function about the texts of a new answer, beside those that there are."""
        if self._similarity is None:
            return
        for other in others:
            for pair in unequal_texts(value, other):
                if pair not in self._known:
                    found = self._similarity(*pair)
                    if inspect.isawaitable(found):
                        found = await found
                    self._known[pair] = self._known[pair[1], pair[0]] = found

    def alike(self, left: Any, right: Any) -> bool:
        """Whether two answers, or parts of them, count as the same."""
        if self._similarity is None and self._threshold == 1:
            return equal(left, right)
        return likeness(left, right, self.similarity) >= self._threshold

    def similarity(self, left: str, right: str) -> float:
        """Of two unequal texts."""
        pair = (left, right)
        found = self._known.get(pair)
        if found is None:
            # parts of answers, which only a merge compares, are not shown to the user's function
            found = by_characters(left, right) if self._similarity is None and self._threshold < 1 else 0.0
            self._known[pair] = self._known[right, left] = found
        return found
