"""Analyse a regular expression without running it: how far it reads, and which literals every match contains.

If the pattern cannot be parsed or contains something unknown, the analysis claims nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from math import inf

from ..regex_tree import (
    Alternation,
    Anchor,
    BackReference,
    Character,
    CharacterSet,
    Group,
    Items,
    LookAround,
    Never,
    Node,
    RegexTreeError,
    Repeat,
    regex_tree,
)

_AHEAD = {"AT_BOUNDARY": 1, "AT_NON_BOUNDARY": 1, "AT_END": 2, "AT_END_STRING": 1}
"""Characters after its position that an anchor reads. ``$`` reads past a final newline."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PatternAnalysis:
    """The analysis of one pattern.

    ``reach``: how many characters from a match's start suffice to decide that it matches; ``inf`` if unbounded.
    ``lookbehind``: number of characters before the start that the pattern reads. ``can_be_undone``: it has a part
    whose match more text may undo. ``stable``: a match of the pattern remains one, whatever text follows.
    ``literals``: lower-case texts such that every match contains one of them, in upper or lower case; empty if unknown.
    """

    reach: float = inf
    lookbehind: float = inf
    can_be_undone: bool = True
    stable: bool = False
    literals: tuple[str, ...] = ()


_MAX_LITERALS = 64
"""Limit for the number of literals per pattern. Searching for more does not pay off."""
_MAX_MEMBERS = 8
"""Limit for the characters of a set that are tried one by one: each one multiplies the literals."""


def analyse(pattern: re.Pattern[str]) -> PatternAnalysis:
    """Return the analysis of a compiled pattern."""
    try:
        tree = regex_tree(pattern)
    except RegexTreeError:
        return PatternAnalysis()
    walker = _ReachWalker()
    return PatternAnalysis(
        reach=walker.widths(tree)[1],
        lookbehind=walker.lookbehind,
        can_be_undone=walker.can_be_undone,
        stable=_is_stable(tree, 0),
        literals=tuple(sorted(_required_literals(tree))),
    )


class _ReachWalker:
    """Walks a parsed pattern and adds up how far it reads."""

    def __init__(self) -> None:
        self.lookbehind: float = 1  # ``^`` and ``\b`` read the character before
        self.can_be_undone = False

    def widths(self, items: Items) -> tuple[float, float]:
        """Return the most characters that these items consume, and the most that they read, both from their start."""
        width: float = 0
        reach: float = 0
        for node in items:
            consumes, reads = self._node(node)
            reach = max(reach, width + reads)
            width += consumes
        return width, max(reach, width)

    def _node(self, node: Node) -> tuple[float, float]:
        match node:
            case Character() | CharacterSet():
                return 1, 1
            case Anchor(name):
                return 0, _AHEAD.get(name, 0)
            case Repeat():
                self._note_undone(node.possessive)
                return self._repeat(node)
            case Alternation(choices):
                both = [self.widths(choice) for choice in choices]
                return max(width for width, _ in both), max(reach for _, reach in both)
            case Group(items, atomic):
                self._note_undone(atomic)
                return self.widths(items)
            case LookAround():
                return self._lookaround(node)
            case _:  # a back-reference, a condition, or an opcode that a newer Python added
                return inf, inf

    def _note_undone(self, can_undo: bool) -> None:
        """Note a part whose match more text can undo: possessive, atomic, or negative and reading ahead."""
        self.can_be_undone = self.can_be_undone or can_undo

    def _repeat(self, node: Repeat) -> tuple[float, float]:
        width, reach = self.widths(node.items)
        if not node.maximum:
            return 0, 0
        before = 0 if not width else (node.maximum - 1) * width  # inf * 0 is not a number
        return before + width, before + reach

    def _lookaround(self, node: LookAround) -> tuple[float, float]:
        width, reach = self.widths(node.items)
        if node.behind:
            self.lookbehind = max(self.lookbehind, width + 1)
            reach = reach - width if width < inf else inf  # what an anchor in it reads, as in ``(?<=cat\b)``
        self._note_undone(node.negative and reach > 0)
        return 0, reach


def _is_stable(items: Items, after: int) -> bool:
    """Return True if more text cannot undo a match of these items.

    ``after``: the least number of characters that the rest of the pattern consumes behind them. Text that the match
    itself contains does not change any more: ``\\b`` at the start of a word is decided, ``\\b`` at the end is not.
    """
    for node in reversed(items):
        if not _is_stable_node(node, after):
            return False
        after += _least_width(node)
    return True


def _is_stable_node(node: Node, after: int) -> bool:
    match node:
        case Character() | CharacterSet() | BackReference() | Never():
            return True
        case Anchor(name):
            return _AHEAD.get(name, 0) <= after
        case Repeat(items, _, _, possessive):
            return not possessive and _is_stable(items, after)
        case Alternation(choices):
            return all(_is_stable(choice, after) for choice in choices)
        case Group(items, atomic):
            return not atomic and _is_stable(items, after)
        case LookAround(items, behind, negative):
            decided = _ReachWalker().widths((node,))[1] <= after
            return decided or (not negative and _is_stable(items, after if behind else 0))
        case _:  # a condition, or an opcode that a newer Python added
            return False


def _least_width(node: Node) -> int:
    """Return the least number of characters that a part consumes."""
    match node:
        case Character() | CharacterSet():
            return 1
        case Repeat(items, minimum):
            return minimum * sum(map(_least_width, items))
        case Alternation(choices):
            return min(sum(map(_least_width, choice)) for choice in choices)
        case Group(items):
            return sum(map(_least_width, items))
        case _:
            return 0


def _required_literals(items: Items) -> frozenset[str]:
    """Return the most selective set of literals such that every match contains one of them; empty if there is none."""
    found: list[frozenset[str]] = []
    run = frozenset({""})
    for node in items:
        texts = _texts(node)
        if texts is not None and len(run) * len(texts) <= _MAX_LITERALS:
            run = frozenset(before + text for before in run for text in texts)
            continue
        found += [run, _required_in_part(node)]
        run = frozenset({""}) if texts is None else texts
    return max((each for each in (*found, run) if each and "" not in each), key=_selectivity, default=frozenset())


def _selectivity(literals: frozenset[str]) -> tuple[int, int]:
    # The prefilter searches for 8 characters of a literal, so longer ones are not more selective.
    return min(8, *map(len, literals)), -len(literals)


def _required_in_part(node: Node) -> frozenset[str]:
    """Return the same as `_required_literals` for one part that is not plain text."""
    match node:
        case Group(items):
            return _required_literals(items)
        case Repeat() if node.minimum:
            return _required_literals(node.items)
        case Alternation(choices):
            each = [_required_literals(choice) for choice in choices]
            return frozenset[str]().union(*each) if all(each) else frozenset()
        case _:
            return frozenset()


def _texts(node: Node) -> frozenset[str] | None:
    """Return all texts that a part can match, if they are few and literal, else ``None``."""
    match node:
        case Anchor() | LookAround():
            return frozenset({""})
        case Character(code):
            return frozenset({chr(code).lower()}) if code is not None and _has_simple_case(code) else None
        case CharacterSet(members):
            return _union_if_all_known(_texts(member) for member in members) if len(members) <= _MAX_MEMBERS else None
        case Alternation(choices):
            return _union_if_all_known(_sequence_texts(choice) for choice in choices)
        case Group(items):
            return _sequence_texts(items)
        case Repeat() if node.maximum == 1:
            inner = _sequence_texts(node.items)
            return inner if inner is None or node.minimum else inner | {""}
        case _:
            return None


def _sequence_texts(items: Items) -> frozenset[str] | None:
    run = frozenset({""})
    for node in items:
        texts = _texts(node)
        if texts is None or len(run) * len(texts) > _MAX_LITERALS:
            return None
        run = frozenset(before + text for before in run for text in texts)
    return run


def _union_if_all_known(alternatives: Iterable[frozenset[str] | None]) -> frozenset[str] | None:
    listed = list(alternatives)
    known = [texts for texts in listed if texts is not None]
    return frozenset[str]().union(*known) if len(known) == len(listed) else None


def _has_simple_case(code: int) -> bool:
    """Return True if `prefilter.folded` covers everything that matches this character when `re` ignores case."""
    letter = chr(code)
    return code < 0x80 or (0xC0 <= code <= 0xFF) or letter.lower() == letter.upper()
