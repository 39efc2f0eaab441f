"""Many patterns in one pass: which of them can match in a text at all.

Every match of most patterns holds a known literal; one automaton looks for the literals of all patterns at once, and
only those patterns run whose literal was there. That is exact: the verdicts are those of `re`, whatever finds the
literals. Measured with our own 69 patterns (881 literals) on windows of 90 characters of prose, one core, microseconds
a window: this with Aho-Corasick (`ahocorasick_rs`) 1.1, all patterns in a RE2 set 1.1, in Hyperscan 0.6, after half a
second to compile them, and each in `re` about 140. Aho-Corasick it is: it reads Python's own strings, is ready in 15
ms, needs no scratch memory a thread, and has no idea of its own of what a regular expression means. It comes with the
extra `guardrails`; without it the standard library does the same in 16.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import partial

Hit = tuple[int, int, int]
"""Number of a literal; the rest is not used."""
_BEGINNING = 4
_LONGEST = 8
"""Characters of a literal that are looked for: so much of it is telling (of windows of clean text 2 in 100 hold one, as
with whole literals), and only so much has to be looked at again."""


def _in_python(literals: Sequence[str]) -> Callable[[str], Sequence[Hit]]:
    """The same with the standard library alone: a set knows how literals begin."""
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


def _at_once(literals: Sequence[str]) -> Callable[[str], Sequence[Hit]]:
    try:
        from ahocorasick_rs import AhoCorasick
    except ImportError:
        return _in_python(literals)
    return partial(AhoCorasick(literals).find_matches_as_indexes, overlapping=True)


def folded(text: str) -> str:
    """In lower case, with every letter that `re` takes for an ASCII one where it ignores case."""
    if text.isascii():
        return text.lower()
    return text.replace("\u0130", "i").lower().replace("\u0131", "i").replace("\u017f", "s")


class Prefilter:
    """``held``: for each pattern the literals of which every match holds one, or none where that is not known.

    ``overlap``: characters before a new text with which it has to be looked at.
    """

    __slots__ = ("_always", "_find", "_owners", "overlap")

    def __init__(
        self,
        held: Sequence[Collection[str]],
        engine: Callable[[Sequence[str]], Callable[[str], Sequence[Hit]]] = _at_once,
    ) -> None:
        held = [{literal[:_LONGEST] for literal in each} for each in held]
        literals = sorted({literal for each in held for literal in each})
        self.overlap = max(map(len, literals), default=1) - 1
        self._always = tuple(number for number, each in enumerate(held) if not each)
        self._owners = [tuple(n for n, each in enumerate(held) if literal in each) for literal in literals]
        self._find = engine(literals) if literals else None

    def candidates(self, text: str) -> Collection[int]:
        """Numbers of the patterns that may match; a pattern that is not among them does not."""
        hits = self._find(text.lower() if text.isascii() else folded(text)) if self._find else None
        if not hits:
            return self._always
        return {*self._always, *(owner for index, _, _ in hits for owner in self._owners[index])}
