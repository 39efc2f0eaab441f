"""Search for the phrases of a lexicon in a segment.

A phrase is searched for only if the segment contains its key word. Most segments contain none, so most cost one set
operation.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from .segments import Segment


def words(text: str) -> frozenset[str]:
    """Return the set of words in a text, separated by white space."""
    return frozenset(text.split())


class Phrases:
    """Patterns by key word. Every match of a pattern contains its key word.

    The patterns see lower-case text with straight apostrophes. ``keys``: all key words. A segment without any of them
    has no match.
    """

    __slots__ = ("_patterns", "keys")

    def __init__(self, patterns: Mapping[str, str]) -> None:
        self._patterns = {word: re.compile(pattern) for word, pattern in patterns.items()}
        self.keys = frozenset(patterns)

    def matches(self, segment: Segment) -> Iterator[re.Match[str]]:
        """Yield all matches, in no particular order."""
        keys = self.keys & segment.words
        if not keys:
            return
        text = segment.lowered.replace("\u2019", "'")
        for word in keys:
            yield from self._patterns[word].finditer(text)
