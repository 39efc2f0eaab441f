"""A rule from any function of a text."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from l0.values.policy import PolicyError
from l0.values.rules import Ending, Severity, Violation

Judge = Callable[[str], bool | str | None]
"""What is wrong with a text, in words, or just ``True``; ``None``, ``False`` or ``""`` where nothing is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionRule:
    """Asks ``function`` about the whole answer when it is over; or, with a ``span``, about stretches of so many
    characters while it streams. Two neighbours share half a stretch: up to half a span is always seen in one piece.

    It is told of the first that is wrong, and not asked again. What the function raises never reaches the user.
    """

    function: Judge
    name: str = "custom"
    severity: Severity = Severity.ERROR
    span: int | None = None

    def __post_init__(self) -> None:
        if not callable(self.function) or inspect.iscoroutinefunction(self.function):
            raise PolicyError("rule.function", self.function, "a plain function of a text, not a coroutine function")
        if not isinstance(self.name, str) or not self.name:
            raise PolicyError("rule.name", self.name, "a short text")
        if self.span is not None and (not isinstance(self.span, int) or isinstance(self.span, bool) or self.span < 2):
            raise PolicyError("rule.span", self.span, "a whole number of characters, 2 or more, or None for the whole")

    def check(self) -> FunctionCheck:
        """A check of one more answer."""
        return FunctionCheck(self)


class FunctionCheck:
    """Collects what the function has not been asked about yet. Stretches begin at fixed places of the text."""

    __slots__ = ("_at", "_done", "_length", "_pieces", "_rule")

    def __init__(self, rule: FunctionRule) -> None:
        self._rule = rule
        self._pieces: list[str] = []
        self._length = 0
        self._at = 0
        self._done = False

    def feed(self, text: str) -> Sequence[Violation]:
        """Ask about every stretch that is complete."""
        if self._done or not text:
            return ()
        self._pieces.append(text)
        self._length += len(text)
        span = self._rule.span
        if span is None or self._length < span:
            return ()
        buffer = "".join(self._pieces)
        start = 0
        while len(buffer) - start >= span:
            found = self._ask(buffer[start : start + span], self._at + start)
            if found:
                return found
            start += span // 2
        self._pieces = [buffer[start:]]
        self._at += start
        self._length = len(buffer) - start
        return ()

    def finish(self, ending: Ending) -> Sequence[Violation]:  # noqa: ARG002 - functions judge text
        """Ask about the rest."""
        span = self._rule.span
        asked = span is not None and self._at and self._length <= span - span // 2
        if self._done or asked:
            return ()
        return self._ask("".join(self._pieces), self._at)

    def _ask(self, text: str, at: int) -> Sequence[Violation]:
        said = self._rule.function(text)
        if not said:
            return ()
        self._done = True
        self._pieces = []
        rule, quotes = self._rule, isinstance(said, str)
        message = str(said) if quotes else f"{rule.name} does not hold"
        return (Violation(rule=rule.name, message=message, severity=rule.severity, at=at, quotes=quotes),)
