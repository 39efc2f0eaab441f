"""Make a rule from any function of a text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from l0.model.async_functions import is_async
from l0.model.callback_check import takes
from l0.model.policy import PolicyError
from l0.model.rule import NO_MESSAGE, Ending, Severity, Violation

TextFunction = Callable[[str], bool | str | None]
"""A function that returns the problem with a text: a message, or just ``True``.

``None``, ``False`` or ``""`` means that there is none.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionRule:
    """A rule that calls ``function`` with the complete answer at its end, or with parts of it while it streams.

    Without a ``span`` the function gets the complete answer. With a ``span``, in characters, it gets parts of that
    length. Neighbouring parts overlap by half a span, so any text of up to half a span is seen in one piece.

    Only the first problem is reported; the function is not called again after it. A function that raises is skipped for
    the rest of the answer, which then passes, and a warning on logger ``l0`` names the rule. To reject the answer
    instead, return a message in an ``except`` block.

    A message that the function contains as a literal is shown everywhere. Any other may quote the answer: it is only in
    `Violation.message` and `Failure.detail`, and on spans that capture content.
    """

    function: TextFunction
    name: str = "custom"
    severity: Severity = Severity.ERROR
    span: int | None = None

    def __post_init__(self) -> None:
        if not callable(self.function) or is_async(self.function) or not takes(self.function, 1):
            raise PolicyError("rule.function", self.function, "a plain function of a text, not a coroutine function")
        if not isinstance(self.name, str) or not self.name:
            raise PolicyError("rule.name", self.name, "a short text")
        if self.span is not None and (not isinstance(self.span, int) or isinstance(self.span, bool) or self.span < 2):
            raise PolicyError("rule.span", self.span, "a whole number of characters, 2 or more, or None for the whole")

    def check(self) -> FunctionCheck:
        """Return the check of one answer."""
        return FunctionCheck(self)


class FunctionCheck:
    """The check of one answer. It collects the text that the function has not seen yet.

    Parts begin at fixed offsets of the answer, so results do not depend on chunk boundaries.
    """

    __slots__ = ("_at", "_done", "_length", "_pieces", "_rule")

    def __init__(self, rule: FunctionRule) -> None:
        self._rule = rule
        self._pieces: list[str] = []
        self._length = 0
        self._at = 0
        self._done = False

    def feed(self, text: str) -> Sequence[Violation]:
        """Call the function with every part that is complete."""
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
            found = self._call(buffer[start : start + span], self._at + start)
            if found:
                return found
            start += span // 2
        self._pieces = [buffer[start:]]
        self._at += start
        self._length = len(buffer) - start
        return ()

    def finish(self, ending: Ending) -> Sequence[Violation]:  # noqa: ARG002 - functions only check text
        """Call the function with the rest."""
        span = self._rule.span
        already_seen = span is not None and self._at and self._length <= span - span // 2
        if self._done or already_seen:
            return ()
        return self._call("".join(self._pieces), self._at)

    def _call(self, text: str, at: int) -> Sequence[Violation]:
        problem = self._rule.function(text)
        if not problem:
            return ()
        self._done = True
        self._pieces = []
        rule = self._rule
        message = problem if isinstance(problem, str) else NO_MESSAGE
        quotes = isinstance(problem, str) and not _is_literal_of(rule.function, problem)
        return (Violation(rule=rule.name, message=message, severity=rule.severity, at=at, quotes=quotes),)


def _is_literal_of(function: TextFunction, message: str) -> bool:
    """Return True if the function's own code contains the message, so it quotes no answer."""
    return message in getattr(getattr(function, "__code__", None), "co_consts", ())
