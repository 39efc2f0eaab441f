"""Parse a regular expression into a tree of a few kinds of nodes.

The standard library's own parser does the work, so there is no second interpretation of patterns. It is private, but
has kept its place since Python 3.11. Only this module knows its opcodes; any other opcode becomes `Unknown`.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from math import inf
from typing import Any

_UNLIMITED_ABOVE = 1 << 20
"""A maximum above this counts as no limit: the parser writes 4,294,967,295 for a repeat without one."""
_CLASSES = {"NOT_LITERAL", "ANY", "CATEGORY", "RANGE", "NEGATE"}
_REPEATS = {"MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"}


class RegexTreeError(Exception):
    """The pattern cannot be analysed: the private parser is missing or has changed."""


@dataclass(frozen=True, slots=True)
class Character:
    """Exactly one character. ``code``: its code point; ``None`` for any of a class, such as ``.`` or ``[a-z]``."""

    code: int | None = None


@dataclass(frozen=True, slots=True)
class CharacterSet:
    """One of these characters."""

    members: tuple[Character, ...]


@dataclass(frozen=True, slots=True)
class Anchor:
    """A condition on a position. ``name``: the parser's name for it, such as ``AT_BOUNDARY``."""

    name: str


@dataclass(frozen=True, slots=True)
class Repeat:
    """``items``, ``minimum`` to ``maximum`` times (``inf``: without a limit). ``possessive``: never backtracks."""

    items: Items
    minimum: int
    maximum: float
    possessive: bool


@dataclass(frozen=True, slots=True)
class Alternation:
    """One of several sequences."""

    choices: tuple[Items, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """A sequence in brackets. ``atomic``: the search never backtracks into it."""

    items: Items
    atomic: bool = False


@dataclass(frozen=True, slots=True)
class LookAround:
    """A condition on the text after a place, or before it (``behind``)."""

    items: Items
    behind: bool
    negative: bool


@dataclass(frozen=True, slots=True)
class BackReference:
    """The text of an earlier group."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One of two sequences: ``then`` if an earlier group matched, else ``otherwise``."""

    then: Items
    otherwise: Items


@dataclass(frozen=True, slots=True)
class Never:
    """A node that never matches."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """An opcode that a newer Python has added."""


Node = (
    Character
    | CharacterSet
    | Anchor
    | Repeat
    | Alternation
    | Group
    | LookAround
    | BackReference
    | Condition
    | Never
    | Unknown
)
Items = tuple[Node, ...]


def regex_tree(pattern: re.Pattern[str]) -> Items:
    """Return the nodes of a compiled pattern. Raises `RegexTreeError` if it cannot be analysed."""
    try:
        parser: Any = importlib.import_module("re._parser")
        return _items(parser.parse(pattern.pattern, pattern.flags & ~re.DEBUG))
    except (ImportError, AttributeError, KeyError, TypeError, ValueError, OverflowError, RecursionError) as error:
        raise RegexTreeError from error


def _items(parsed: Iterable[Any]) -> Items:
    return tuple(_node(str(code), value) for code, value in parsed)


def _node(code: str, value: Any) -> Node:
    if code in _REPEATS:
        minimum, maximum, items = value
        limit = inf if maximum > _UNLIMITED_ABOVE else maximum
        return Repeat(_items(items), minimum, limit, possessive=code == "POSSESSIVE_REPEAT")
    match code:
        case "LITERAL":
            return Character(value)
        case "IN":
            return CharacterSet(tuple(_member(str(kind), each) for kind, each in value))
        case "AT":
            return Anchor(str(value))
        case "BRANCH":
            return Alternation(tuple(_items(choice) for choice in value[1]))
        case "SUBPATTERN":
            return Group(_items(value[3]))
        case "ATOMIC_GROUP":
            return Group(_items(value), atomic=True)
        case "ASSERT" | "ASSERT_NOT":
            return LookAround(_items(value[1]), behind=value[0] < 0, negative=code == "ASSERT_NOT")
        case "GROUPREF":
            return BackReference()
        case "GROUPREF_EXISTS":
            return Condition(_items(value[1]), _items(value[2] or ()))
        case "FAILURE":
            return Never()
    return Character() if code in _CLASSES else Unknown()


def _member(code: str, value: Any) -> Character:
    return Character(value) if code == "LITERAL" else Character()
