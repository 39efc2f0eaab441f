"""All checks of one answer together: what the engine asks while the text streams.

A rule that fails is left out for the rest of the answer, and said so in the log: it never breaks a stream.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

from l0.values.rules import Ending, Rule, Violation

_log = logging.getLogger("l0")

Clock = Callable[[], float]
_Ask = Callable[[Any], Sequence[Violation]]
_Asked = tuple[str, _Ask, _Ask]


def widest(rules: Sequence[Rule]) -> int | None:
    """The widest window of the rules that look at one, in characters; ``None`` where none does."""
    return max((rule.span for rule in rules if rule.span is not None), default=None)


def finals(rules: Sequence[Rule]) -> tuple[Rule, ...]:
    """The rules that only the whole answer decides."""
    return tuple(rule for rule in rules if rule.span is None)


class Inspection:
    """One answer's checks, in the order of their rules.

    ``every``: the tokens that the caller collects before it feeds them. ``timer``: a clock in seconds, given only where
    somebody listens; ``durations`` then has how often each rule was asked, and the seconds that it took. Without one no
    clock is read.
    """

    __slots__ = ("_checks", "durations", "every")

    def __init__(self, rules: Sequence[Rule], every: int = 5, *, timer: Clock | None = None) -> None:
        self.every = every
        self.durations: dict[str, tuple[int, float]] = {}
        self._checks: list[_Asked] = []
        for rule in rules:
            try:
                check, name = rule.check(), rule.name
                asked = (check.feed, check.finish)
            except Exception:
                _failed(type(rule).__name__)
                continue
            feed, finish = asked if timer is None else (self._timed(name, ask, timer) for ask in asked)
            self._checks.append((name, feed, finish))

    def feed(self, text: str) -> Sequence[Violation]:
        """What the new text shows."""
        found: list[Violation] = []
        for each in self._checks:
            try:
                said = each[1](text)
                if said:
                    found += _violations(said)
            except Exception:
                self._leave_out(each)
        return found

    def finish(self, ending: Ending) -> Sequence[Violation]:
        """What the end of the answer shows."""
        found: list[Violation] = []
        for each in self._checks:
            try:
                said = each[2](ending)
                if said:
                    found += _violations(said)
            except Exception:
                self._leave_out(each)
        return found

    def _timed(self, name: str, ask: _Ask, timer: Clock) -> _Ask:
        def timed(about: Any) -> Sequence[Violation]:
            start = timer()
            try:
                return ask(about)
            finally:
                count, seconds = self.durations.get(name, (0, 0.0))
                self.durations[name] = (count + 1, seconds + timer() - start)

        return timed

    def _leave_out(self, each: _Asked) -> None:
        # A new list: this may happen while the old one is read.
        self._checks = [other for other in self._checks if other is not each]
        _failed(each[0])


def _violations(said: Sequence[Violation]) -> Sequence[Violation]:
    """Only violations get further. Raises `TypeError` for anything else."""
    if not isinstance(said, Sequence) or not all(isinstance(each, Violation) for each in said):
        raise TypeError("a rule's check returned something that is no sequence of Violation")
    return said


def _failed(name: str) -> None:
    _log.warning("guardrail %s failed and is left out for the rest of this answer", name, exc_info=True)
