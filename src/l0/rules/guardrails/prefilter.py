"""Find the patterns that can match a text at all, in one pass for all patterns.

Every match of most patterns contains a known literal. One automaton searches for the literals of all patterns at once;
only patterns whose literal occurs are run. The findings are the same as without it: `re` still decides each match.

Measured with the 69 bundled patterns (881 literals) on windows of 90 characters of prose, one core, in microseconds per
window: this prefilter with Aho-Corasick (`ahocorasick_rs`) 1.1; all patterns in a RE2 set 1.1; Hyperscan 0.6, after
half a second of compilation; each pattern in `re` about 140. Aho-Corasick was chosen: it reads Python strings directly,
is ready in 15 ms, needs no scratch memory per thread, and does not interpret regular expressions in its own way. It
comes with the extra `guardrails`; without it the standard library does the same in 16 microseconds.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import partial

Hit = tuple[int, int, int]
"""The index of a literal, and the start and end of its occurrence, which are not used."""
_BEGINNING = 4
"""Number of first characters by which `_in_python` looks literals up."""
_LONGEST = 8
"""Number of characters of a literal that are searched for.

So short a beginning is selective enough: 2 in 100 windows of clean text contain one, as many as contain a complete
literal. With new text, only fewer old characters than this are searched again.
"""


def _in_python(literals: Sequence[str]) -> Callable[[str], Sequence[Hit]]:
    """Return a search that uses only the standard library: a set of the literals' first characters."""
    short = [(index, literal) for index, literal in enumerate(literals) if len(literal) < _BEGINNING]
    beginnings: dict[tuple[str, ...], list[tuple[int, str]]] = {}
    for index, literal in enumerate(literals):
        if len(literal) >= _BEGINNING:
            beginnings.setdefault(tuple(literal[:_BEGINNING]), []).append((index, literal))

    def find(text: str) -> Sequence[Hit]:
        likely = short
        if not beginnings.keys().isdisjoint(zip(text, text[1:], text[2:], text[3:], strict=False)):
            parts = set(zip(text, text[1:], text[2:], text[3:], strict=False))
            likely = [*short, *(each for part in beginnings.keys() & parts for each in beginnings[part])]
        return [(index, 0, 0) for index, literal in likely if literal in text]

    return find


def _best_engine(literals: Sequence[str]) -> Callable[[str], Sequence[Hit]]:
    """Return a search by Aho-Corasick, or by the standard library if the extra is missing."""
    try:
        from ahocorasick_rs import AhoCorasick
    except ImportError:
        return _in_python(literals)
    return partial(AhoCorasick(literals).find_matches_as_indexes, overlapping=True)


def folded(text: str) -> str:
    """Return the text in lower case. Letters that `re` treats as ASCII letters when it ignores case become ASCII."""
    if text.isascii():
        return text.lower()
    return text.replace("\u0130", "i").lower().replace("\u0131", "i").replace("\u017f", "s")


class Prefilter:
    """A filter for patterns.

    ``literals_by_pattern``: for each pattern, literals such that every match contains one of them; empty if unknown.
    ``overlap``: number of characters before a new text that must be searched together with it.
    """

    __slots__ = ("_always", "_find", "_patterns_of", "overlap")

    def __init__(
        self,
        literals_by_pattern: Sequence[Collection[str]],
        engine: Callable[[Sequence[str]], Callable[[str], Sequence[Hit]]] = _best_engine,
    ) -> None:
        literals_by_pattern = [{literal[:_LONGEST] for literal in each} for each in literals_by_pattern]
        literals = sorted({literal for each in literals_by_pattern for literal in each})
        self.overlap = max(map(len, literals), default=1) - 1
        self._always = tuple(number for number, each in enumerate(literals_by_pattern) if not each)
        self._patterns_of = [
            tuple(n for n, each in enumerate(literals_by_pattern) if literal in each) for literal in literals
        ]
        self._find = engine(literals) if literals else None

    def candidates(self, text: str) -> Collection[int]:
        """Return the numbers of the patterns that may match. Patterns that are not among them cannot match."""
        # The ASCII case of `folded` is inlined: this runs per batch of tokens.
        hits = self._find(text.lower() if text.isascii() else folded(text)) if self._find else None
        if not hits:
            return self._always
        return {*self._always, *(number for index, _, _ in hits for number in self._patterns_of[index])}
