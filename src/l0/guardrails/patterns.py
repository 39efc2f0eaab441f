"""Patterns in a text: found wherever the text is cut, in time bounded by the new text; each message is told once.

A start is decided as soon as the text shows all that its pattern could look at: that many characters are looked at
again with new text, and no more. A pattern without a bound is given ``span`` characters; one that also asks for
something *not* to follow is judged on the whole text. A pattern that could take long has `LOOK_SECONDS` for each look;
a check that needs more raises `OverrunError`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import inf

from l0.structured.bounded import Budget, Search, bounded
from l0.values.policy import PolicyError
from l0.values.rules import Ending, Severity, Violation

from .prefilter import Prefilter
from .regexes import Anatomy, anatomy

SPAN = 256
"""Characters that a pattern without a bound may reach."""
_SLICE = 1024
"""Characters looked at in one go: what a slow pattern can make of a long text is bounded by it."""
LOOK_SECONDS = 0.1
"""For all patterns of a rule together, each time that it looks at a text; more for one of over `_PER_BUDGET`."""
_PER_BUDGET = 50_000
_EXTRA = "guardrails"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A pattern, and what to say where it matches."""

    pattern: re.Pattern[str]
    message: str
    severity: Severity


@dataclass(frozen=True, slots=True)
class _Sought:
    number: int
    finding: Finding
    search: Search
    reach: int
    bounded: bool


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PatternRule:
    """Says where one of many patterns matches. Made by `pattern_rule`."""

    name: str
    severity: Severity
    span: int | None
    sought: tuple[_Sought, ...]
    whole: tuple[tuple[Finding, Search], ...]
    prefilter: Prefilter
    lead: int

    def check(self) -> PatternCheck:
        """A check of one more answer."""
        return PatternCheck(self)


def compiled(patterns: re.Pattern[str] | str | Iterable[re.Pattern[str] | str]) -> list[re.Pattern[str]]:
    """Regular expressions as they are; strings as plain text, whatever case it is in.

    Raises `PolicyError` for anything else, an empty text among them.
    """
    given = [patterns] if isinstance(patterns, str | re.Pattern) else patterns
    allowed = "a str or a compiled regular expression on str, not empty, or several"
    if not isinstance(given, Iterable):
        raise PolicyError("pattern_rule.patterns", patterns, allowed)
    found: list[re.Pattern[str]] = []
    for each in given:
        if isinstance(each, str) and each:
            found.append(re.compile(re.escape(each), re.IGNORECASE))
        elif isinstance(each, re.Pattern) and isinstance(each.pattern, str) and each.pattern:
            found.append(each)
        else:
            raise PolicyError("pattern_rule.patterns", each, allowed)
    if not found:
        raise PolicyError("pattern_rule.patterns", patterns, allowed)
    return found


def pattern_rule(findings: Sequence[Finding], *, name: str, span: int | None = SPAN) -> PatternRule:
    """A rule for all of these. ``span=None``: every pattern is judged on the whole text, when it is over."""
    near: list[tuple[Finding, Anatomy, int]] = []
    whole: list[tuple[Finding, Search]] = []
    lead = 1
    for finding in findings:
        known = anatomy(finding.pattern)
        unbounded = known.reach == inf
        if span is None or (unbounded and known.denies) or known.behind == inf:
            whole.append((finding, bounded(finding.pattern, inf, _EXTRA)))
            continue
        near.append((finding, known, span if unbounded else int(known.reach)))
        lead = max(lead, int(known.behind))
    window = max((reach for _, _, reach in near), default=0) + lead + _SLICE
    sought = [
        _Sought(number, finding, bounded(finding.pattern, window, _EXTRA), reach, known.reach < inf)
        for number, (finding, known, reach) in enumerate(near)
    ]
    return PatternRule(
        name=name,
        severity=max((finding.severity for finding in findings), key=list(Severity).index),
        span=None if whole else max(each.reach for each in sought),
        sought=tuple(sought),
        whole=tuple(whole),
        prefilter=Prefilter([known.literals for _, known, _ in near]),
        lead=lead,
    )


class PatternCheck:
    """``_kept`` are the last characters of the text: all undecided starts, and what patterns look at before them.

    ``_likely``: patterns that may match there, and how long the text was when that was seen.
    """

    __slots__ = ("_candidates", "_keep", "_kept", "_length", "_likely", "_overlap", "_pieces", "_rule", "_told")

    def __init__(self, rule: PatternRule) -> None:
        self._rule = rule
        self._candidates = rule.prefilter.candidates
        self._overlap = rule.prefilter.overlap
        self._likely: dict[int, int] = {}
        self._keep = max((each.reach for each in rule.sought), default=0) + rule.lead
        self._kept = ""
        self._length = 0
        self._told: set[str] = set()
        self._pieces: list[str] | None = [] if rule.whole else None

    def feed(self, text: str) -> Sequence[Violation]:
        """What the new text decides."""
        if self._pieces is not None:
            self._pieces.append(text)
        if len(text) > _SLICE:
            cuts = range(0, len(text), _SLICE)
            budget = _budget(text)
            return [found for cut in cuts for found in self._scan(text[cut : cut + _SLICE], budget)]
        return self._scan(text, None)

    def finish(self, ending: Ending) -> Sequence[Violation]:  # noqa: ARG002 - what else the answer holds has no text
        """What was still open, and what only the whole decides."""
        found = self._look(self._kept, self._candidates(self._kept), self._length, None, over=True)
        whole = "".join(self._pieces or ())
        budget = _budget(whole)
        for finding, pattern in self._rule.whole:
            match = pattern.search(whole, budget)
            if match:
                self._say(finding, match.start(), found)
        return found

    def _scan(self, text: str, budget: Budget | None) -> Sequence[Violation]:
        window = self._kept + text
        before = self._length
        self._length = before + len(text)
        self._kept = window[-self._keep :]
        seen = self._candidates(window[-len(text) - self._overlap :])
        if not seen and not self._likely:
            return ()
        likely = {number: at for number, at in self._likely.items() if before - at < self._keep}
        self._likely = likely | dict.fromkeys(seen, self._length)
        return self._look(window, self._likely, before, budget, over=False)

    def _look(
        self, window: str, candidates: Iterable[int], before: int, budget: Budget | None, *, over: bool
    ) -> list[Violation]:
        """What is new since the text had ``before`` characters, in the order in which the text decides it."""
        budget = budget or Budget(LOOK_SECONDS)
        base = self._length - len(window)
        places: list[tuple[int, int, int]] = []
        for number in candidates:
            sought = self._rule.sought[number]
            if sought.finding.message in self._told:
                continue
            last = inf if over else self._length - base - sought.reach
            start = _first(sought, window, max(0, before - base - sought.reach + 1), last, budget)
            if start is not None:
                places.append((base + start + sought.reach, number, base + start))
        found: list[Violation] = []
        for _, number, at in sorted(places):
            self._say(self._rule.sought[number].finding, at, found)
        return found

    def _say(self, finding: Finding, at: int, found: list[Violation]) -> None:
        if finding.message not in self._told:
            self._told.add(finding.message)
            found.append(Violation(rule=self._rule.name, message=finding.message, severity=finding.severity, at=at))


def _budget(text: str) -> Budget:
    return Budget(LOOK_SECONDS * max(1, len(text) // _PER_BUDGET))


def _first(sought: _Sought, window: str, start: int, last: float, budget: Budget) -> int | None:
    """Where the pattern first matches between ``start`` and ``last``, within its reach."""
    pattern, reach = sought.search, sought.reach
    match = pattern.search(window, budget, start)
    while match:
        at = match.start()
        if at > last:
            return None
        if sought.bounded or match.end() - at <= reach:
            return at
        shorter = pattern.match(window, budget, at, at + reach)
        # An anchor to the end would hold where the window was cut: such a match is none of the text's own.
        if shorter and shorter.end() < at + reach - 1:
            return at
        match = pattern.search(window, budget, at + 1)
    return None
