"""What can be told of a regular expression without running it: how far it looks, and what every match must hold.

The standard library's own parser says it, so that there is no second idea of what a pattern means. It is private, but
has been where it is since Python 3.11; where it should ever be missing or say something unknown, nothing is claimed.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from math import inf
from typing import Any

_ONE = {"LITERAL", "NOT_LITERAL", "ANY", "IN", "CATEGORY", "RANGE"}
_REPEATS = {"MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"}
_AHEAD = {"AT_BOUNDARY": 1, "AT_NON_BOUNDARY": 1, "AT_END": 2, "AT_END_STRING": 1}
"""Characters behind a place that an anchor there looks at: ``$`` looks past a last newline."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Anatomy:
    """Of one pattern. ``reach``: characters from the start of a match on that decide it, ``inf`` without a bound;
    ``behind``: characters before the start that it looks at; ``denies``: more text may undo a match;
    ``literals``: in lower case, one of which stands in every match whatever its case; empty where none is known."""

    reach: float = inf
    behind: float = inf
    denies: bool = True
    literals: tuple[str, ...] = ()


_MOST = 64
"""Literals of one pattern: more are not worth looking for."""


def anatomy(pattern: re.Pattern[str]) -> Anatomy:
    """What the parser knows of a compiled pattern."""
    try:
        parser: Any = importlib.import_module("re._parser")
        tree = list(parser.parse(pattern.pattern, pattern.flags & ~re.DEBUG))
        look = _Look()
        return Anatomy(
            reach=look.sequence(tree)[1], behind=look.behind, denies=look.denies, literals=tuple(sorted(_held(tree)))
        )
    except (ImportError, AttributeError, KeyError, TypeError, ValueError):
        return Anatomy()


class _Look:
    """Walks a parsed pattern, and adds up how far it sees."""

    def __init__(self) -> None:
        self.behind: float = 1
        self.denies = False

    def sequence(self, items: Iterable[Any]) -> tuple[float, float]:
        """The most characters that these take, and the most that they look at, both from where they begin."""
        width: float = 0
        reach: float = 0
        for code, value in items:
            takes, sees = self._item(str(code), value)
            reach = max(reach, width + sees)
            width += takes
        return width, max(reach, width)

    def _item(self, code: str, value: Any) -> tuple[float, float]:
        if code in _ONE:
            return 1, 1
        if code == "AT":
            return 0, _AHEAD.get(str(value), 0)
        if code in {"POSSESSIVE_REPEAT", "ATOMIC_GROUP"}:
            self.denies = True  # what they took they do not give back: a match in a part may be none in the whole
        if code in _REPEATS:
            return self._repeat(*value)
        if code == "BRANCH":
            return self._widest(value[1])
        if code == "SUBPATTERN":
            return self.sequence(value[3])
        if code == "ATOMIC_GROUP":
            return self.sequence(value)
        if code in {"ASSERT", "ASSERT_NOT"}:
            return self._look(code, *value)
        return inf, inf  # a back-reference, or something new

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

    def _look(self, code: str, direction: int, items: Any) -> tuple[float, float]:
        width, reach = self.sequence(items)
        if direction < 0:
            self.behind = max(self.behind, width + 1)
            return 0, 0
        self.denies = self.denies or code == "ASSERT_NOT"
        return 0, reach


def _held(items: Iterable[Any]) -> frozenset[str]:
    """Literals of which every match holds one: of all such sets the most telling one; empty for none."""
    found: list[frozenset[str]] = []
    run = frozenset({""})
    for code, value in items:
        texts = _texts(str(code), value)
        if texts is not None and len(run) * len(texts) <= _MOST:
            run = frozenset(before + text for before in run for text in texts)
            continue
        found += [run, _within(str(code), value)]
        run = frozenset({""}) if texts is None else texts
    return max((each for each in (*found, run) if each and "" not in each), key=_telling, default=frozenset())


def _telling(literals: frozenset[str]) -> tuple[int, int]:
    return min(8, *map(len, literals)), -len(literals)


def _within(name: str, value: Any) -> frozenset[str]:
    """As `_held`, of one part that is no plain text."""
    if name == "SUBPATTERN":
        return _held(value[3])
    if name == "ATOMIC_GROUP":
        return _held(value)
    if name in _REPEATS and value[0]:
        return _held(value[2])
    if name == "BRANCH":
        each = [_held(branch) for branch in value[1]]
        return frozenset[str]().union(*each) if all(each) else frozenset()
    return frozenset()


def _texts(name: str, value: Any) -> frozenset[str] | None:
    """All texts that a part can match, where they are few and plain."""
    if name in {"AT", "ASSERT", "ASSERT_NOT"}:
        return frozenset({""})
    if name == "LITERAL":
        return frozenset({chr(value).lower()}) if _plain(value) else None
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
        if texts is None or len(run) * len(texts) > _MOST:
            return None
        run = frozenset(before + text for before in run for text in texts)
    return run


def _any_of(each: list[frozenset[str] | None]) -> frozenset[str] | None:
    known = [texts for texts in each if texts is not None]
    return frozenset[str]().union(*known) if len(known) == len(each) else None


def _plain(code: int) -> bool:
    """Whether ignoring case means no more for a character than `folded` of `prefilter` takes care of."""
    letter = chr(code)
    return code < 0x80 or (0xC0 <= code <= 0xFF) or letter.lower() == letter.upper()
