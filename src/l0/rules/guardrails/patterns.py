"""Find patterns in a streamed text, independent of chunk boundaries, in time bounded by the new text.

A match that more text cannot undo is reported as soon as it exists: the shortest one, even if it could still grow. Any
other match at a position is final once the text contains all characters that the pattern can read from there. Their
number is the pattern's reach; that many old characters are searched again together with new text. An unbounded pattern
gets ``span`` as its reach. It is searched in the complete text instead, at its end, if more text could undo a match; so
is a pattern with an unbounded look-behind. All patterns share `SEARCH_SECONDS` for each search; a check that needs more
raises `OverrunError`. Each message is reported once.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import ClassVar

from l0.model.caller_warning import warn_caller
from l0.model.policy import PolicyError
from l0.model.privacy import shown
from l0.model.rule import Ending, Severity, Violation

from ..bounded_regex import OverrunError, Search, TimeBudget, bounded
from ..families import Family
from .prefilter import Prefilter
from .regex_analysis import PatternAnalysis, analyse

SPAN = 256
"""Default limit for a match of an unbounded pattern, in characters."""
_SLICE = 1024
"""Number of characters searched at a time, which bounds the cost of a slow pattern on a long text."""
SEARCH_SECONDS = 0.1
"""Time budget for one search of all patterns of a rule, in seconds."""
_PER_BUDGET = 50_000
"""A text gets one time budget per this many characters, and at least one."""
_EXTRA = "guardrails"
_REGEX_SYNTAX = re.compile(
    r"""
      \\[dDwWsSbB]            # a class of characters, the boundary of a word
    | \[ \^? \w-\w            # a range
    | \[ \^ [^\]]+ \]         # all but some characters
    | \[ [^\]]+ \] [+*?{]     # one of some characters, repeated
    | [\w)\]] \{\d+ ,? \d*\}  # a number of repetitions
    | \.[+*]                  # any text
    | \w \| \w                # alternatives
    | \(\?[:=!<Pims]          # a group that does not only group
    | \A\^\w                  # the beginning
    """,
    re.VERBOSE,
)
"""Syntax of regular expressions that a literal text rarely contains. Phrases such as ``[INST]`` and ``<|im_end|>`` have
none of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PatternFinding:
    """A pattern, and what is reported for its match. Patterns of the user have no family."""

    pattern: re.Pattern[str]
    message: str
    severity: Severity
    family: Family | None = None


@dataclass(frozen=True, slots=True)
class _SearchedPattern:
    """A pattern that is searched while the text streams.

    ``number``: its index in `PatternRule.streamed`. ``reach``: number of characters from the start of a match that
    decide it. ``bounded``: the reach is that of the expression; if False, it is ``span``. ``stable``: more text cannot
    undo a match.
    """

    number: int
    finding: PatternFinding
    search: Search
    reach: int
    bounded: bool
    stable: bool


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PatternRule:
    """A rule that reports matches of many patterns. Made by `pattern_rule`.

    ``streamed``: patterns that are searched while the text streams. ``whole``: patterns that are searched at the end of
    the text. ``kept``: number of characters that are searched again with new text: the longest reach, plus the
    characters before a match that a pattern reads.
    """

    name: str
    severity: Severity
    span: int | None
    streamed: tuple[_SearchedPattern, ...] = field(repr=False)
    whole: tuple[tuple[PatternFinding, Search], ...] = field(repr=False)
    prefilter: Prefilter = field(repr=False)
    kept: int = field(repr=False)
    covers: Mapping[Family, Severity] = field(repr=False)
    """The families that the patterns find, with the highest severity of each."""
    specificity: ClassVar[int] = 1

    def check(self) -> PatternCheck:
        """Return the check of one answer."""
        return PatternCheck(self)


def compiled(patterns: re.Pattern[str] | str | Iterable[re.Pattern[str] | str]) -> list[re.Pattern[str]]:
    """Return compiled regular expressions. Strings become literal patterns that ignore case.

    Warns about a string that looks like a regular expression: as literal text it would find nothing. Raises
    `PolicyError` for anything else, and for an empty text.
    """
    listed = [patterns] if isinstance(patterns, str | re.Pattern) else patterns
    allowed = "a str or a compiled regular expression on str, not empty, or several"
    if not isinstance(listed, Iterable):
        raise PolicyError("pattern_rule.patterns", patterns, allowed)
    found: list[re.Pattern[str]] = []
    for each in listed:
        if isinstance(each, str) and each:
            if _REGEX_SYNTAX.search(each):
                warn_caller(
                    f"pattern_rule.patterns: {shown(each)} is literal text; for a regular expression, write "
                    "re.compile(...), and for exactly this text, re.compile(re.escape(...))"
                )
            found.append(re.compile(re.escape(each), re.IGNORECASE))
        elif isinstance(each, re.Pattern) and isinstance(each.pattern, str) and each.pattern:
            found.append(each)
        else:
            raise PolicyError("pattern_rule.patterns", each, allowed)
    if not found:
        raise PolicyError("pattern_rule.patterns", patterns, allowed)
    return found


def pattern_rule(findings: Sequence[PatternFinding], *, name: str, span: int | None = SPAN) -> PatternRule:
    """Return a rule for all of these patterns. ``span=None``: search every pattern in the complete text, at its end."""
    streamed_patterns: list[tuple[PatternFinding, PatternAnalysis, int]] = []
    whole: list[tuple[PatternFinding, Search]] = []
    context = 1
    for finding in findings:
        analysis = analyse(finding.pattern)
        unbounded = analysis.reach == inf
        undoable = analysis.can_be_undone and not analysis.stable
        if span is None or (unbounded and undoable) or analysis.lookbehind == inf:
            whole.append((finding, bounded(finding.pattern, inf, _EXTRA)))
            continue
        streamed_patterns.append((finding, analysis, span if unbounded else int(analysis.reach)))
        context = max(context, int(analysis.lookbehind))
    kept = max((reach for _, _, reach in streamed_patterns), default=0) + context
    streamed = [
        _SearchedPattern(
            number=number,
            finding=finding,
            search=bounded(finding.pattern, kept + _SLICE, _EXTRA),
            reach=reach,
            bounded=analysis.reach < inf,
            stable=analysis.stable,
        )
        for number, (finding, analysis, reach) in enumerate(streamed_patterns)
    ]
    return PatternRule(
        name=name,
        severity=max((finding.severity for finding in findings), key=list(Severity).index),
        span=None if whole else max(each.reach for each in streamed),
        streamed=tuple(streamed),
        whole=tuple(whole),
        prefilter=Prefilter([analysis.literals for _, analysis, _ in streamed_patterns]),
        kept=kept,
        covers=_covers(findings),
    )


def _covers(findings: Iterable[PatternFinding]) -> Mapping[Family, Severity]:
    covers: dict[Family, Severity] = {}
    for finding in findings:
        if finding.family is not None:
            before = covers.get(finding.family, Severity.WARNING)
            covers[finding.family] = max(before, finding.severity, key=list(Severity).index)
    return covers


class PatternCheck:
    """The check of one answer.

    ``_kept``: the last characters of the text, which contain all undecided starts and the characters before them that
    patterns read. ``_likely``: numbers of the patterns that may match there, with the length of the text when the
    prefilter found them.
    """

    __slots__ = (
        "_candidates",
        "_kept_length",
        "_kept",
        "_length",
        "_likely",
        "_overlap",
        "_pieces",
        "_rule",
        "_reported",
    )

    def __init__(self, rule: PatternRule) -> None:
        self._rule = rule
        self._candidates = rule.prefilter.candidates
        self._overlap = rule.prefilter.overlap
        self._likely: dict[int, int] = {}
        self._kept_length = rule.kept
        self._kept = ""
        self._length = 0
        self._reported: set[str] = set()
        self._pieces: list[str] | None = [] if rule.whole else None

    def feed(self, text: str, budget: TimeBudget | None = None) -> Sequence[Violation]:
        """Search new text. Return the violations that it decides."""
        if len(text) > _SLICE:
            cuts = range(0, len(text), _SLICE)
            budget = _budget(text)
            return [found for cut in cuts for found in self.feed(text[cut : cut + _SLICE], budget)]
        if self._pieces is not None:
            self._pieces.append(text)
        window = self._kept + text
        before = self._length
        self._length = before + len(text)
        self._kept = window[-self._kept_length :]
        candidates = self._candidates(window[-len(text) - self._overlap :])
        if not candidates and not self._likely:
            return ()
        likely = {number: at for number, at in self._likely.items() if before - at < self._kept_length}
        self._likely = likely | dict.fromkeys(candidates, self._length)
        return self._search(window, self._likely, before, budget, at_end=False)

    def finish(self, ending: Ending) -> Sequence[Violation]:  # noqa: ARG002 - only text is searched
        """Search the undecided rest, and the complete text for patterns that need it."""
        found = self._search(self._kept, self._candidates(self._kept), self._length, None, at_end=True)
        whole = "".join(self._pieces or ())
        budget = _budget(whole)
        for finding, pattern in self._rule.whole:
            match = pattern.search(whole, budget)
            if match:
                self._report(finding, (match.start(), match.end()), found)
        return found

    def _search(
        self, window: str, candidates: Iterable[int], before: int, budget: TimeBudget | None, *, at_end: bool
    ) -> list[Violation]:
        """Return the violations decided since the text had ``before`` characters, in the order of their decision."""
        budget = budget or TimeBudget(SEARCH_SECONDS)
        base = self._length - len(window)
        decided: list[tuple[int, int, int, int]] = []  # position of the decision, pattern number, start, end
        for number in candidates:
            streamed = self._rule.streamed[number]
            if streamed.finding.message in self._reported:
                continue
            first = max(0, before - base - streamed.reach + 1)
            if streamed.stable:
                place = _shortest_match(streamed, window, first, max(0, before - base), budget)
            else:
                last = inf if at_end else self._length - base - streamed.reach  # the last start that is decided
                place = _first_match(streamed, window, first, last, budget)
            if place is not None:
                start, end = place
                decided_at = end if streamed.stable else start + streamed.reach
                decided.append((base + decided_at, number, base + start, base + end))
        found: list[Violation] = []
        for _, number, start, end in sorted(decided):
            self._report(self._rule.streamed[number].finding, (start, end), found)
        return found

    def _report(self, finding: PatternFinding, passage: tuple[int, int], found: list[Violation]) -> None:
        if finding.message in self._reported:
            return
        self._reported.add(finding.message)
        found.append(
            Violation(
                rule=self._rule.name,
                message=finding.message,
                severity=finding.severity,
                at=passage[0],
                families=frozenset(() if finding.family is None else (finding.family,)),
                passage=passage,
            )
        )


def _budget(text: str) -> TimeBudget:
    return TimeBudget(SEARCH_SECONDS * max(1, len(text) // _PER_BUDGET))


def _shortest_match(
    streamed: _SearchedPattern, window: str, start: int, seen: int, budget: TimeBudget
) -> tuple[int, int] | None:
    """Return start and end of the match that was complete first; of several, the leftmost.

    So chunk boundaries do not change the result. ``seen``: number of characters that have no match.
    """
    found = _first_match(streamed, window, start, inf, budget)
    if found is None:
        return None

    def matches(length: int) -> bool:
        return _first_match(streamed, window[:length], start, inf, budget) is not None

    try:
        length = seen + bisect_left(range(seen, len(window)), True, key=matches)
        place = _first_match(streamed, window[:length], start, inf, budget)
    except OverrunError:  # the time is used up: a known match matters more than its exact place
        return found
    return found if place is None else (place[0], length)


def _first_match(
    streamed: _SearchedPattern, window: str, start: int, last: float, budget: TimeBudget
) -> tuple[int, int] | None:
    """Return start and end of the first match from ``start`` to ``last`` within the pattern's reach, else ``None``."""
    pattern, reach = streamed.search, streamed.reach
    match = pattern.search(window, budget, start)
    while match:
        at = match.start()
        if at > last:
            return None
        if streamed.bounded or match.end() - at <= reach:
            return at, match.end()
        shorter = pattern.match(window, budget, at, at + reach)
        # An end anchor also matches at the cut, and before a newline at the cut. Ignore a match that ends there.
        if shorter and (streamed.stable or shorter.end() < at + reach - 1):
            return at, shorter.end()
        match = pattern.search(window, budget, at + 1)
    return None
