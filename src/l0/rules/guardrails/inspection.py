"""Run all checks of one answer while its text streams.

A rule that raises is skipped for the rest of the answer and logged; it never breaks a stream. A rule that exceeds its
time budget is also listed in `overrun`: the caller does not run it again during the call.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from l0.model.call_events import RuleTimes
from l0.model.errors import raised
from l0.model.policy_error import PolicyError
from l0.model.rule import Check, Ending, Rule, Violation

from ..bounded_regex import OverrunError

_log = logging.getLogger("l0")

Clock = Callable[[], float]


def widest_span(rules: Sequence[Rule]) -> int | None:
    """Return the widest span of all rules that have one, in characters; ``None`` if none has one."""
    return max((rule.span for rule in rules if rule.span is not None), default=None)


class _RuleRun:
    """The check of one rule, and the seconds it took. ``runs``: number of runs before it was disabled, else 0."""

    __slots__ = ("feed", "final", "finish", "runs", "name", "rule", "streaming")

    def __init__(self, rule: Rule, check: Check) -> None:
        self.rule = rule
        self.name = rule.name
        self.feed = check.feed
        self.finish = check.finish
        self.runs = 0
        self.streaming = self.final = 0.0


class Inspection:
    """The checks of one answer, in the order of their rules.

    ``every``: number of tokens that the caller collects before it calls `feed`. ``timer``: a clock in seconds, given
    only if an observer records durations; without it no clock is read. ``overrun``: rules that exceeded their time
    budget.
    """

    __slots__ = ("_all_checks", "_active_checks", "_runs", "_timer", "every", "overrun")

    def __init__(self, rules: Sequence[Rule], every: int = 5, *, timer: Clock | None = None) -> None:
        self.every = every
        self._timer = timer
        self._runs = 0
        self.overrun: list[Rule] = []
        self._active_checks: list[_RuleRun] = []
        for rule in rules:
            try:
                self._active_checks.append(_RuleRun(rule, rule.check()))
            except Exception:
                _log_failure(type(rule).__name__)
        self._all_checks = tuple(self._active_checks)

    def feed(self, text: str) -> Sequence[Violation]:
        """Run all checks on new text. Return the violations found."""
        timer = self._timer
        found: list[Violation] = []
        before = timer() if timer is not None else 0.0
        # This loop runs per batch of tokens: it is written out here and in `finish` to save a call per rule.
        for each in self._active_checks:
            try:
                result = each.feed(text)
                if result:
                    found += _violations(result)
            except Exception as error:
                self._disable(each, error)
            if timer is not None:
                now = timer()
                each.streaming += now - before
                before = now
        self._runs += 1
        return found

    def finish(self, ending: Ending) -> Sequence[Violation]:
        """Run all checks at the end of the answer. Return the violations found."""
        timer = self._timer
        found: list[Violation] = []
        before = timer() if timer is not None else 0.0
        for each in self._active_checks:
            try:
                result = each.finish(ending)
                if result:
                    found += _violations(result)
            except Exception as error:
                self._disable(each, error)
            if timer is not None:
                now = timer()
                each.final += now - before
                before = now
        self._runs += 1
        return found

    def count_all_as_final(self) -> None:
        """Count all time as final: the answer came in one piece and did not stream."""
        for each in self._all_checks:
            each.final, each.streaming = each.final + each.streaming, 0.0

    @property
    def durations(self) -> dict[str, RuleTimes]:
        """Return how often each rule ran and the seconds it took, by rule name. Empty without a timer."""
        times: dict[str, RuleTimes] = {}
        for each in self._all_checks if self._timer is not None and self._runs else ():
            times_of_rule = RuleTimes(count=each.runs or self._runs, streaming=each.streaming, final=each.final)
            times[each.name] = times_of_rule.plus(times.get(each.name))
        return times

    def _disable(self, failed: _RuleRun, error: Exception) -> None:
        # Build a new list: the caller may be iterating over the old one.
        self._active_checks = [check for check in self._active_checks if check is not failed]
        failed.runs = self._runs + 1
        if isinstance(error, OverrunError):
            self.overrun.append(failed.rule)
            _log.warning("guardrail %s %s for one check, and is not run again for this call", failed.name, error)
        elif isinstance(error, PolicyError):  # by L0 itself: a schema with references that nothing resolves
            _log.warning("guardrail %s is skipped for the rest of this answer: %s", failed.name, error)
        else:
            _log_failure(failed.name)


def _violations(result: Sequence[Violation]) -> Sequence[Violation]:
    """Return the result of a check. Raises `TypeError` if it is not a sequence of `Violation`."""
    if not isinstance(result, Sequence) or not all(isinstance(each, Violation) for each in result):
        raise TypeError("a rule's check returned something that is not a sequence of Violation")
    return result


def _log_failure(name: str) -> None:
    _log.warning("guardrail %s failed and is skipped for the rest of this answer: %s", name, raised())
