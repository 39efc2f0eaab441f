"""Phrases of a lexicon in a segment. A phrase is looked for only where its key word stands: most segments hold none."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from .segments import Segment


def words(text: str) -> frozenset[str]:
    """Those of a text."""
    return frozenset(text.split())


class Phrases:
    """Patterns by a word that each of their matches holds; they see lower case and straight apostrophes.

    ``keys``: those words. A segment that holds none of them holds no match.
    """

    __slots__ = ("_patterns", "keys")

    def __init__(self, patterns: Mapping[str, str]) -> None:
        self._patterns = {word: re.compile(pattern) for word, pattern in patterns.items()}
        self.keys = frozenset(patterns)

    def matches(self, segment: Segment) -> Iterator[re.Match[str]]:
        """All matches, in no order."""
        keys = self.keys & segment.words
        if not keys:
            return
        text = segment.lowered.replace("\u2019", "'")
        for word in keys:
            yield from self._patterns[word].finditer(text)
