"""Regular expressions of users, searched within a budget of time.

`re` cannot be stopped: ``(a+)+$`` on 40 characters runs for hours, and no clock fires meanwhile. A pattern that could
take long runs in `regex` instead, which has a timeout; every other one stays in `re`. Measured on Python 3.11 with our
own 69 patterns on windows of 90 and of 1,200 characters of prose, microseconds a pattern: `re` 1.6 and 23, `regex` with
a timeout 2.1 and 8.1, RE2 1.8 and 3.7. RE2 is linear, but it means something else: of 95 patterns on 3,000 texts it
refused 7 (look-around, back-references, ``\\u``) and found other places for 13 (its ``\\b``, ``\\w`` and ``\\s`` know
ASCII alone, its ``$`` no last newline). `regex` took all, and differed for one: ignoring
case, ``i`` is not the Turkish i without a dot.
"""

from __future__ import annotations

import importlib
import logging
import re
from collections.abc import Iterable
from functools import lru_cache
from math import inf
from time import perf_counter
from typing import Any, Protocol

_log = logging.getLogger("l0")
_STEPS = 10_000_000
"""Steps of a backtracking search that take some 50 to 100 ms: a pattern that cannot need more is not timed."""
_LONG = 1_000_000
"""Characters of a text without a limit."""
_MOST_TURNS = 24
"""Repeats of something that can match in several ways: what may be repeated more often grows exponentially."""
_SINGLE = {"LITERAL", "NOT_LITERAL", "ANY", "IN", "CATEGORY", "RANGE", "AT", "GROUPREF", "FAILURE"}
_FLAGS = "AIMSX"
_MEANT_LITERALLY = re.compile(r"\\.|\{(?!\d+,?\d*\}|,\d*\})|\[:", re.DOTALL)
"""What `regex` has another meaning for: ``{e}`` (fuzzy matching) and ``[:`` (POSIX classes)."""


class OverrunError(Exception):
    """A check was stopped because it took longer than its budget. ``seconds``: the budget."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"took longer than its budget of {seconds * 1000:.0f} ms")
        self.seconds = seconds


class Budget:
    """Time for one check. It starts with the first search that is timed."""

    __slots__ = ("_until", "seconds")

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._until: float | None = None

    def left(self) -> float:
        """Seconds that are left. Raises `OverrunError` if there are none."""
        now = perf_counter()
        if self._until is None:
            self._until = now + self.seconds
        if now >= self._until:
            raise OverrunError(self.seconds)
        return self._until - now


class Match(Protocol):
    """As much of a match as is asked for."""

    def start(self) -> int:
        """Return where it begins."""
        ...

    def end(self) -> int:
        """Return where it ends."""
        ...


class Search(Protocol):
    """A pattern to search for. Both methods raise `OverrunError` if the pattern is timed and the budget is spent."""

    def search(self, text: str, budget: Budget, start: int = 0) -> Match | None:
        """Return the first match at or after ``start``, else ``None``."""
        ...

    def match(self, text: str, budget: Budget, start: int, end: int) -> Match | None:
        """Return a match at ``start`` of the text up to ``end``, else ``None``."""
        ...


class _Plain:
    """A pattern in `re`."""

    __slots__ = ("_pattern",)

    def __init__(self, pattern: re.Pattern[str]) -> None:
        self._pattern = pattern

    def search(self, text: str, budget: Budget, start: int = 0) -> Match | None:  # noqa: ARG002
        return self._pattern.search(text, start)

    def match(self, text: str, budget: Budget, start: int, end: int) -> Match | None:  # noqa: ARG002
        return self._pattern.match(text, start, end)


class _Timed:
    """A pattern in `regex`."""

    __slots__ = ("_pattern",)

    def __init__(self, pattern: Any) -> None:
        self._pattern = pattern

    def search(self, text: str, budget: Budget, start: int = 0) -> Match | None:
        try:
            found: Match | None = self._pattern.search(text, start, timeout=budget.left())
            return found
        except TimeoutError:
            raise OverrunError(budget.seconds) from None

    def match(self, text: str, budget: Budget, start: int, end: int) -> Match | None:
        try:
            found: Match | None = self._pattern.match(text, start, end, timeout=budget.left())
            return found
        except TimeoutError:
            raise OverrunError(budget.seconds) from None


def bounded(pattern: re.Pattern[str], length: float, extra: str) -> Search:
    """Return the search for a pattern in texts of up to ``length`` characters (``inf``: of any length).

    If the pattern could take long and `regex` is missing, `re` searches without a bound; one warning names ``extra``.
    """
    if not can_take_long(pattern, length):
        return _Plain(pattern)
    timed = _in_regex(pattern)
    if timed is not None:
        return _Timed(timed)
    if most_steps(pattern, length) == inf:
        _warn_once(pattern.pattern, extra)
    return _Plain(pattern)


def can_take_long(pattern: re.Pattern[str], length: float) -> bool:
    """Return whether a search could need more than ten million steps in a text of up to ``length`` characters."""
    return most_steps(pattern, length) > _STEPS


def most_steps(pattern: re.Pattern[str], length: float) -> float:
    """Return an upper bound for the steps of a backtracking search; ``inf`` if they can grow exponentially."""
    size = min(length, _LONG)
    try:
        parser: Any = importlib.import_module("re._parser")
        return _paths(parser.parse(pattern.pattern, pattern.flags & ~re.DEBUG), size) * size
    except (ImportError, AttributeError, KeyError, TypeError, ValueError, OverflowError, RecursionError):
        return inf  # the parser is private: if it has changed, nothing is known


def _paths(items: Iterable[Any], size: float) -> float:
    """Return an upper bound for the ways in which these can match from one place of a text of ``size`` characters."""
    ways: float = 1
    for code, value in items:
        ways *= _ways(str(code), value, size)
    return ways


def _ways(code: str, value: Any, size: float) -> float:
    if code in _SINGLE:
        return 1
    if code == "BRANCH":
        return sum(_paths(branch, size) for branch in value[1])
    if code == "SUBPATTERN":
        return _paths(value[3], size)
    if code == "ATOMIC_GROUP":
        return _paths(value, size)
    if code in {"ASSERT", "ASSERT_NOT"}:
        return _paths(value[1], size)
    if code == "GROUPREF_EXISTS":
        return _paths(value[1], size) + _paths(value[2] or (), size)
    if code in {"MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"}:
        least, most, inner = value
        each = _paths(inner, size)
        times = min(most, size)
        if each <= 1:
            return 1 if code == "POSSESSIVE_REPEAT" else max(times - least, 0) + 1
        return (
            inf if times > _MOST_TURNS else sum(each**count for count in range(min(least, int(times)), int(times) + 1))
        )
    return inf


@lru_cache(maxsize=256)
def _in_regex(pattern: re.Pattern[str]) -> Any:
    """The same pattern, compiled by `regex`; ``None`` if it is missing or refuses it."""
    try:
        import regex
    except ImportError:
        return None
    flags = regex.VERSION0
    for name in _FLAGS:
        if pattern.flags & getattr(re, name):
            flags |= getattr(regex, name)
    text = _MEANT_LITERALLY.sub(_literally, pattern.pattern)
    try:
        return regex.compile(text, flags)
    except (regex.error, RecursionError):
        return None


def _literally(found: re.Match[str]) -> str:
    return {"{": r"\{", "[:": r"[\:"}.get(found[0], found[0])


@lru_cache(maxsize=256)
def _warn_once(text: str, extra: str) -> None:
    _log.warning(
        'the pattern %.80r can take exponential time, and nothing bounds it without `regex`: pip install "l0-otel[%s]"',
        text,
        extra,
    )
