"""All checks of one answer together: what the engine asks while the text streams.

A rule that fails is left out for the rest of the answer, and said so in the log: it never breaks a stream. One that
took longer than its budget is named in `overrun` as well: the call does not run it again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from l0.structured.bounded import OverrunError
from l0.values.errors import raised
from l0.values.events import RuleTimes
from l0.values.rules import Check, Ending, Rule, Violation

_log = logging.getLogger("l0")

Clock = Callable[[], float]


def widest(rules: Sequence[Rule]) -> int | None:
    """The widest window of the rules that look at one, in characters; ``None`` where none does."""
    return max((rule.span for rule in rules if rule.span is not None), default=None)


def finals(rules: Sequence[Rule]) -> tuple[Rule, ...]:
    """The rules that only the whole answer decides."""
    return tuple(rule for rule in rules if rule.span is None)


class _Asked:
    """One rule's check, and the seconds that it took. ``looks``: after how many it was left out; 0 while it is not."""

    __slots__ = ("feed", "final", "finish", "looks", "name", "rule", "streaming")

    def __init__(self, rule: Rule, check: Check) -> None:
        self.rule = rule
        self.name = rule.name
        self.feed = check.feed
        self.finish = check.finish
        self.looks = 0
        self.streaming = self.final = 0.0


class Inspection:
    """One answer's checks, in the order of their rules.

    ``every``: the tokens that the caller collects before it feeds them. ``timer``: a clock in seconds, given only where
    somebody listens; without one no clock is read. ``overrun``: the rules that took longer than their budget.
    """

    __slots__ = ("_asked", "_checks", "_looks", "_timer", "every", "overrun")

    def __init__(self, rules: Sequence[Rule], every: int = 5, *, timer: Clock | None = None) -> None:
        self.every = every
        self._timer = timer
        self._looks = 0
        self.overrun: list[Rule] = []
        self._checks: list[_Asked] = []
        for rule in rules:
            try:
                self._checks.append(_Asked(rule, rule.check()))
            except Exception:
                _failed(type(rule).__name__)
        self._asked = tuple(self._checks)

    def feed(self, text: str) -> Sequence[Violation]:
        """What the new text shows."""
        timer = self._timer
        found: list[Violation] = []
        before = timer() if timer is not None else 0.0
        for each in self._checks:
            try:
                said = each.feed(text)
                if said:
                    found += _violations(said)
            except Exception as error:
                self._leave_out(each, error)
            if timer is not None:
                now = timer()
                each.streaming += now - before
                before = now
        self._looks += 1
        return found

    def finish(self, ending: Ending) -> Sequence[Violation]:
        """What the end of the answer shows."""
        timer = self._timer
        found: list[Violation] = []
        before = timer() if timer is not None else 0.0
        for each in self._checks:
            try:
                said = each.finish(ending)
                if said:
                    found += _violations(said)
            except Exception as error:
                self._leave_out(each, error)
            if timer is not None:
                now = timer()
                each.final += now - before
                before = now
        self._looks += 1
        return found

    def was_whole(self) -> None:
        """What was fed was the whole answer, in one piece: nothing of it streamed."""
        for each in self._asked:
            each.final, each.streaming = each.final + each.streaming, 0.0

    @property
    def durations(self) -> dict[str, RuleTimes]:
        """By rule: how often it was asked, and the seconds that it took. Empty without a timer."""
        times: dict[str, RuleTimes] = {}
        for each in self._asked if self._timer is not None and self._looks else ():
            took = RuleTimes(count=each.looks or self._looks, streaming=each.streaming, final=each.final)
            times[each.name] = took.plus(times.get(each.name))
        return times

    def _leave_out(self, each: _Asked, error: Exception) -> None:
        # A new list: this may happen while the old one is read.
        self._checks = [other for other in self._checks if other is not each]
        each.looks = self._looks + 1
        if isinstance(error, OverrunError):
            self.overrun.append(each.rule)
            _log.warning("guardrail %s %s for one look, and is not run again for this call", each.name, error)
        else:
            _failed(each.name)


def _violations(said: Sequence[Violation]) -> Sequence[Violation]:
    """Only violations get further. Raises `TypeError` for anything else."""
    if not isinstance(said, Sequence) or not all(isinstance(each, Violation) for each in said):
        raise TypeError("a rule's check returned something that is no sequence of Violation")
    return said


def _failed(name: str) -> None:
    _log.warning("guardrail %s failed and is left out for the rest of this answer: %s", name, raised())
