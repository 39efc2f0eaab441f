"""Analyse a regular expression without running it: how far it reads, and which literals every match contains.

The standard library's own parser does the work, so there is no second interpretation of patterns. It is private, but
has kept its place since Python 3.11. If it is missing or returns something unknown, the analysis claims nothing.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from math import inf
from typing import Any

_SINGLE_CHARACTER = {"LITERAL", "NOT_LITERAL", "ANY", "IN", "CATEGORY", "RANGE"}
_REPEATS = {"MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"}
_AHEAD = {"AT_BOUNDARY": 1, "AT_NON_BOUNDARY": 1, "AT_END": 2, "AT_END_STRING": 1}
"""Number of characters after a place that an anchor reads. ``$`` reads past a final newline."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Anatomy:
    """The analysis of one pattern.

    ``reach``: number of characters from the start of a match that decide it; ``inf`` if unbounded. ``lookbehind``:
    number of characters before the start that the pattern reads. ``can_be_undone``: more text may undo a match.
    ``literals``: in lower case; every match contains one of them in some case; empty if none is known.
    """

    reach: float = inf
    lookbehind: float = inf
    can_be_undone: bool = True
    literals: tuple[str, ...] = ()


_MAX_LITERALS = 64
"""Limit for the number of literals per pattern. Searching for more does not pay off."""


def anatomy(pattern: re.Pattern[str]) -> Anatomy:
    """Return the analysis of a compiled pattern."""
    try:
        parser: Any = importlib.import_module("re._parser")
        tree = list(parser.parse(pattern.pattern, pattern.flags & ~re.DEBUG))
        walker = _ReachWalker()
        return Anatomy(
            reach=walker.sequence(tree)[1],
            lookbehind=walker.lookbehind,
            can_be_undone=walker.can_be_undone,
            literals=tuple(sorted(_required_literals(tree))),
        )
    except (ImportError, AttributeError, KeyError, TypeError, ValueError):
        return Anatomy()


class _ReachWalker:
    """Walks a parsed pattern and adds up how far it reads."""

    def __init__(self) -> None:
        self.lookbehind: float = 1
        self.can_be_undone = False

    def sequence(self, items: Iterable[Any]) -> tuple[float, float]:
        """Return the most characters that these items consume, and the most that they read, both from their start."""
        width: float = 0
        reach: float = 0
        for code, value in items:
            consumes, reads = self._item(str(code), value)
            reach = max(reach, width + reads)
            width += consumes
        return width, max(reach, width)

    def _item(self, code: str, value: Any) -> tuple[float, float]:
        if code in _SINGLE_CHARACTER:
            return 1, 1
        if code == "AT":
            return 0, _AHEAD.get(str(value), 0)
        if code in {"POSSESSIVE_REPEAT", "ATOMIC_GROUP"}:
            self.can_be_undone = (
                True  # they never backtrack: a match in a part of the text may not match in the whole text
            )
        if code in _REPEATS:
            return self._repeat(*value)
        if code == "BRANCH":
            return self._widest(value[1])
        if code == "SUBPATTERN":
            return self.sequence(value[3])
        if code == "ATOMIC_GROUP":
            return self.sequence(value)
        if code in {"ASSERT", "ASSERT_NOT"}:
            return self._lookaround(code, *value)
        return inf, inf  # a back-reference, or an opcode that a newer Python added

    def _repeat(self, _: int, most: int, items: Any) -> tuple[float, float]:
        width, reach = self.sequence(items)
        times = inf if most > 1 << 20 else most
        if not times:
            return 0, 0
        before = 0 if not width else (times - 1) * width
        return before + width, before + reach

    def _widest(self, branches: Any) -> tuple[float, float]:
        both = [self.sequence(branch) for branch in branches]
        return max(width for width, _ in both), max(reach for _, reach in both)

    def _lookaround(self, code: str, direction: int, items: Any) -> tuple[float, float]:
        width, reach = self.sequence(items)
        if direction < 0:
            self.lookbehind = max(self.lookbehind, width + 1)
            return 0, 0
        self.can_be_undone = self.can_be_undone or code == "ASSERT_NOT"
        return 0, reach


def _required_literals(items: Iterable[Any]) -> frozenset[str]:
    """Return literals of which every match contains one. Of all such sets, take the most selective; empty if none."""
    found: list[frozenset[str]] = []
    run = frozenset({""})
    for code, value in items:
        texts = _texts(str(code), value)
        if texts is not None and len(run) * len(texts) <= _MAX_LITERALS:
            run = frozenset(before + text for before in run for text in texts)
            continue
        found += [run, _required_in_part(str(code), value)]
        run = frozenset({""}) if texts is None else texts
    return max((each for each in (*found, run) if each and "" not in each), key=_selectivity, default=frozenset())


def _selectivity(literals: frozenset[str]) -> tuple[int, int]:
    return min(8, *map(len, literals)), -len(literals)


def _required_in_part(name: str, value: Any) -> frozenset[str]:
    """Return the same as `_required_literals` for one part that is not plain text."""
    if name == "SUBPATTERN":
        return _required_literals(value[3])
    if name == "ATOMIC_GROUP":
        return _required_literals(value)
    if name in _REPEATS and value[0]:
        return _required_literals(value[2])
    if name == "BRANCH":
        each = [_required_literals(branch) for branch in value[1]]
        return frozenset[str]().union(*each) if all(each) else frozenset()
    return frozenset()


def _texts(name: str, value: Any) -> frozenset[str] | None:
    """Return all texts that a part can match, if they are few and literal, else ``None``."""
    if name in {"AT", "ASSERT", "ASSERT_NOT"}:
        return frozenset({""})
    if name == "LITERAL":
        return frozenset({chr(value).lower()}) if _has_simple_case(value) else None
    if name == "IN":
        return _any_of([_texts(str(code), each) for code, each in value]) if len(value) <= 8 else None
    if name == "BRANCH":
        return _any_of([_sequence(branch) for branch in value[1]])
    if name in {"SUBPATTERN", "ATOMIC_GROUP"}:
        return _sequence(value[3] if name == "SUBPATTERN" else value)
    if name in _REPEATS and value[1] == 1:
        inner = _sequence(value[2])
        return inner if inner is None or value[0] else inner | {""}
    return None


def _sequence(items: Iterable[Any]) -> frozenset[str] | None:
    run = frozenset({""})
    for code, value in items:
        texts = _texts(str(code), value)
        if texts is None or len(run) * len(texts) > _MAX_LITERALS:
            return None
        run = frozenset(before + text for before in run for text in texts)
    return run


def _any_of(each: list[frozenset[str] | None]) -> frozenset[str] | None:
    known = [texts for texts in each if texts is not None]
    return frozenset[str]().union(*known) if len(known) == len(each) else None


def _has_simple_case(code: int) -> bool:
    """Return true if ignoring case means no more for this character than `prefilter.folded` covers."""
    letter = chr(code)
    return code < 0x80 or (0xC0 <= code <= 0xFF) or letter.lower() == letter.upper()
