r"""Search regular expressions of users within a time budget.

`re` cannot be stopped: ``(a+)+$`` on 40 characters runs for hours, and no timer fires meanwhile. A pattern that could
take long runs in `regex` instead, which has a timeout; all others stay in `re`.

Measured on Python 3.11 with the 69 bundled patterns on windows of 90 and of 1,200 characters of prose, in microseconds
per pattern: `re` 1.6 and 23, `regex` with a timeout 2.1 and 8.1, RE2 1.8 and 3.7. RE2 is linear, but it has other
semantics. A separate comparison of results used 95 patterns on 3,000 texts: RE2 rejected 7 (look-around,
back-references, ``\u``), and its matches of 13 differed (its ``\b``, ``\w`` and ``\s`` only know ASCII, its ``$`` does
not match before a final newline). `regex` accepted all. Its matches of one pattern differed: when it ignores case,
``i`` does not match the Turkish capital I with a dot.
"""

from __future__ import annotations

import logging
import re
from functools import lru_cache
from math import inf, prod
from time import perf_counter
from typing import Any, Protocol

from .regex_tree import (
    Alternation,
    Condition,
    Group,
    Items,
    LookAround,
    Node,
    RegexTreeError,
    Repeat,
    Unknown,
    regex_tree,
)

_log = logging.getLogger("l0")
_MAX_STEPS = 10_000_000
"""Steps that a backtracking search makes in 50 to 100 ms. Patterns that cannot need more are not timed."""
_ASSUMED_LENGTH = 1_000_000
"""Assumed length of a text without a length limit, in characters."""
_MAX_AMBIGUOUS_REPEATS = 24
"""Limit for repeats of an item that can match in several ways: 2**24, the steps of 24 repeats with two ways each, are
more than `_MAX_STEPS`."""
_FLAGS = "AIMSX"
"""Flags that `re` and `regex` share, by their one-letter names."""
_LITERAL_SYNTAX = re.compile(r"\\.|\{(?!\d+,?\d*\}|,\d*\})|\[:", re.DOTALL)
"""Syntax with another meaning in `regex`: ``{e}`` (fuzzy matching) and ``[:`` (POSIX classes)."""


class OverrunError(Exception):
    """A check was stopped because it exceeded its time budget. ``seconds``: the budget."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"took longer than its budget of {seconds * 1000:.0f} ms")
        self.seconds = seconds


class TimeBudget:
    """The time budget of one check. It starts with the first timed search. ``seconds``: the budget."""

    __slots__ = ("_deadline", "seconds")

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._deadline: float | None = None

    def remaining_s(self) -> float:
        """Return the remaining seconds. Raises `OverrunError` if there are none."""
        now = perf_counter()
        if self._deadline is None:
            self._deadline = now + self.seconds
        if now >= self._deadline:
            raise OverrunError(self.seconds)
        return self._deadline - now


class Match(Protocol):
    """The methods of a match that callers use."""

    def start(self) -> int:
        """Return the start of the match."""
        ...

    def end(self) -> int:
        """Return the end of the match."""
        ...


class Search(Protocol):
    """A pattern to search for. Both methods raise `OverrunError` if the pattern is timed and the budget is spent."""

    def search(self, text: str, budget: TimeBudget, start: int = 0) -> Match | None:
        """Return the first match at or after ``start``, else ``None``."""
        ...

    def match(self, text: str, budget: TimeBudget, start: int, end: int) -> Match | None:
        """Return a match at ``start`` of the text up to ``end``, else ``None``."""
        ...


class _Plain:
    """A pattern in `re`, without a time limit."""

    __slots__ = ("_pattern",)

    def __init__(self, pattern: re.Pattern[str]) -> None:
        self._pattern = pattern

    def search(self, text: str, budget: TimeBudget, start: int = 0) -> Match | None:  # noqa: ARG002
        return self._pattern.search(text, start)

    def match(self, text: str, budget: TimeBudget, start: int, end: int) -> Match | None:  # noqa: ARG002
        return self._pattern.match(text, start, end)


class _Timed:
    """A pattern in `regex`, with a time limit."""

    __slots__ = ("_pattern",)

    def __init__(self, pattern: Any) -> None:
        self._pattern = pattern

    def search(self, text: str, budget: TimeBudget, start: int = 0) -> Match | None:
        try:
            found: Match | None = self._pattern.search(text, start, timeout=budget.remaining_s())
            return found
        except TimeoutError:
            raise OverrunError(budget.seconds) from None

    def match(self, text: str, budget: TimeBudget, start: int, end: int) -> Match | None:
        try:
            found: Match | None = self._pattern.match(text, start, end, timeout=budget.remaining_s())
            return found
        except TimeoutError:
            raise OverrunError(budget.seconds) from None


def bounded(pattern: re.Pattern[str], length: float, extra: str) -> Search:
    """Return the search for a pattern in texts of up to ``length`` characters (``inf``: of any length).

    If the pattern could take long and `regex` is missing or rejects it, `re` searches without a time limit. A warning
    about a pattern that can take exponential time is logged once; it names ``extra``, which installs `regex`.
    """
    if not can_take_long(pattern, length):
        return _Plain(pattern)
    timed = _in_regex(pattern)
    if timed is not None:
        return _Timed(timed)
    if max_steps(pattern, length) == inf:
        _warn_once(pattern.pattern, extra)
    return _Plain(pattern)


def can_take_long(pattern: re.Pattern[str], length: float) -> bool:
    """Return True if a search could need more than ten million steps in a text of up to ``length`` characters."""
    return max_steps(pattern, length) > _MAX_STEPS


def max_steps(pattern: re.Pattern[str], length: float) -> float:
    """Return an upper bound for the steps of a backtracking search; ``inf`` if they can grow exponentially."""
    size = min(length, _ASSUMED_LENGTH)
    try:
        return _paths(regex_tree(pattern), size) * size
    except (RegexTreeError, OverflowError, RecursionError):
        return inf  # the parser of `re` is private API: if it has changed, assume the worst


def _paths(items: Items, size: float) -> float:
    """Return an upper bound for the ways in which the items can match at one place of a text of ``size`` characters."""
    return prod(_ways(node, size) for node in items)


def _ways(node: Node, size: float) -> float:
    match node:
        case Repeat():
            return _ways_of_repeat(node, size)
        case Alternation(choices):
            return sum(_paths(choice, size) for choice in choices)
        case Group(items) | LookAround(items):
            return _paths(items, size)
        case Condition(then, otherwise):
            return _paths(then, size) + _paths(otherwise, size)
        case Unknown():
            return inf
        case _:
            return 1


def _ways_of_repeat(node: Repeat, size: float) -> float:
    ways_each = _paths(node.items, size)
    times = min(node.maximum, size)
    if ways_each <= 1:
        return 1 if node.possessive else max(times - node.minimum, 0) + 1
    if times > _MAX_AMBIGUOUS_REPEATS:
        return inf
    return sum(ways_each**count for count in range(min(node.minimum, int(times)), int(times) + 1))


@lru_cache(maxsize=256)
def _in_regex(pattern: re.Pattern[str]) -> Any:
    """Return the same pattern compiled by `regex`; ``None`` if the library is missing or rejects the pattern."""
    try:
        import regex
    except ImportError:
        return None
    flags = regex.VERSION0
    for name in _FLAGS:
        if pattern.flags & getattr(re, name):
            flags |= getattr(regex, name)
    text = _LITERAL_SYNTAX.sub(_escaped, pattern.pattern)
    try:
        return regex.compile(text, flags)
    except (regex.error, RecursionError):
        return None


def _escaped(found: re.Match[str]) -> str:
    return {"{": r"\{", "[:": r"[\:"}.get(found[0], found[0])


@lru_cache(maxsize=256)
def _warn_once(text: str, extra: str) -> None:
    _log.warning(
        'the pattern %.80r can take exponential time, and nothing bounds it without `regex`: pip install "l0-otel[%s]"',
        text,
        extra,
    )
