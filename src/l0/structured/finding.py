"""Where an answer holds JSON, and whether that JSON is whole: incremental, among prose, inline code and fences.

JSON is looked for in ``json`` fences; where an answer, or a fence without a language, begins; and after prose, where a
value may stand: on a new line, or behind a colon or the end of a sentence. Code of other languages is passed over.

A text about JSON shows examples of it, and these are for readers: with comments, with dots for what is left out, or
members without their object. After prose, who looks for flaws can have them passed over.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from .candidate import Candidate, Verdict

_REACH = 8
"""Characters before a place that tell whether a line, or a value, may begin there."""
_FENCE_LINE = 100
"""Characters of a line that are waited for to tell what a fence holds."""

_mark = re.compile(r"[`~{\[]").search
_code_mark = re.compile(r"[`~]").search
_inline_mark = re.compile(r"[`\n]").search
_run = re.compile(r"`++|~++").match
_solid = re.compile(r"[^ \t\r\n]").search
_BEGINNERS = "\n:.!?>" + "\uff1a\u3002\uff01\uff1f"  # those of Chinese and Japanese are full-width
_EXAMPLE = ("//", "/*", "#", "...", "\u2026", "<")
"""What stands in examples and can begin nothing in JSON: comments, something left out, a name for a value."""
UNTERMINATED = "the answer ends inside of its JSON"
_JSON_FENCES = frozenset({"json", "jsonl", "ndjson"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Flaw:
    """JSON that is not whole. ``at``: characters of the answer before the place."""

    why: str
    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """JSON in an answer. ``end``: ``None`` where it is broken. ``firm``: it cannot be taken for prose."""

    start: int
    end: int | None
    firm: bool


class Finder:
    """One answer. A flaw is the last thing that it tells. ``found`` is told of every value, whole or not.

    ``examples``: those in a text, which begins with something else, are no flaws.
    """

    __slots__ = (
        "_before",
        "_begun",
        "_candidate",
        "_carry",
        "_examples",
        "_fence",
        "_flaw",
        "_found",
        "_home",
        "_lead",
        "_mode",
        "_read",
        "_start",
        "_ticks",
    )

    def __init__(self, found: Callable[[Found], None] | None = None, *, examples: bool = False) -> None:
        self._found = found
        self._examples = examples
        self._start = 0  # of the candidate
        self._home = self._mode = Finder._prose
        self._candidate = Candidate()
        self._begun = False  # something other than blanks was read
        self._lead = True  # nothing but blanks stood before the candidate, or before its fence
        self._fence = ""  # what opened the fence
        self._ticks = 0  # what opened the inline code
        self._before = ""  # the last characters before the text at hand
        self._carry = ""  # the end of the text before, which could not be judged yet
        self._read = 0  # characters before the text at hand
        self._flaw: Flaw | None = None

    def feed(self, text: str) -> Flaw | None:
        """New text; costs O(len(text))."""
        if self._flaw is not None:
            return None
        if (  # as most text: each mark looked for on its own, which takes a third of a search for any
            self._mode is _PROSE
            and self._begun
            and not ("{" in text or "[" in text or "`" in text or "~" in text or self._carry)
        ):
            self._passed(text)
            return None
        if self._carry:
            text, self._carry = self._carry + text, ""
        at, end = 0, len(text)
        while at < end and self._flaw is None:
            at = self._mode(self, text, at)
        if self._carry:
            text = text[: end - len(self._carry)]
        self._passed(text)
        return self._flaw

    def _passed(self, text: str) -> None:
        self._read += len(text)
        self._before = text[-_REACH:] if len(text) >= _REACH else (self._before + text)[-_REACH:]

    def finish(self) -> Flaw | None:
        """The answer is over."""
        if self._mode is Finder._broken and self._flaw is None:
            return self._flawed(0)
        if self._flaw is not None or self._mode is not Finder._value:
            return None
        match self._candidate.finish():
            case Verdict.OPEN:
                self._tell(None)
                return Flaw(why=UNTERMINATED, at=self._read + len(self._carry))
            case Verdict.WHOLE:
                self._tell(self._read)
        return None

    # Modes: each takes some of the text and returns how far it has come, or keeps the rest for the next time.

    def _prose(self, text: str, at: int) -> int:
        found = _mark(text, at)
        if found is None:
            self._begun = self._begun or _solid(text, at) is not None
            return len(text)
        place = found.start()
        self._lead = lead = not self._begun and _solid(text, at, place) is None
        self._begun = not lead
        if text[place] in "[{":
            self._begun = True
            if not lead and self._ahead(text, place).rstrip(" \t*_")[-1:] not in _BEGINNERS:
                return place + 1
            self._try(Candidate(lead=lead), place)
            return place
        return self._ticked(text, place)

    def _ticked(self, text: str, at: int) -> int:
        """A run of ticks or tildes: it opens a fence, or inline code."""
        run = _run(text, at)[0]  # type: ignore[index]  # the place was found by its first character
        fence = len(run) >= 3 and self._line_begins(text, at)
        line_end = text.find("\n", at, at + _FENCE_LINE) if fence else -1
        if self._runs_on(text, at, run) or (fence and line_end < 0 and len(text) - at < _FENCE_LINE):
            return self._wait(text, at)
        self._begun = True
        if fence and line_end >= 0:
            language = text[at + len(run) : line_end].strip().partition(" ")[0].lower()
            self._fence = run
            self._home = Finder._json if language in _JSON_FENCES else Finder._code if language else Finder._unnamed
            self._mode = self._home
            return line_end
        if run[0] == "`":
            self._ticks = len(run)
            self._mode = Finder._inline
        return at + len(run)

    def _inline(self, text: str, at: int) -> int:
        """Inline code, which ends with as many ticks as opened it, or with the line."""
        found = _inline_mark(text, at)
        if found is None:
            return len(text)
        place = found.start()
        if text[place] == "\n":
            self._mode = Finder._prose
            return place
        run = _run(text, place)[0]  # type: ignore[index]  # as above
        if self._runs_on(text, place, run):
            return self._wait(text, place)
        if len(run) == self._ticks:
            self._mode = Finder._prose
        return place + len(run)

    def _code(self, text: str, at: int) -> int:
        """A fence that holds something else."""
        found = _code_mark(text, at)
        if found is None:
            return len(text)
        place = found.start()
        run = _run(text, place)[0]  # type: ignore[index]  # as above
        if self._runs_on(text, place, run):
            return self._wait(text, place)
        if self._closes(run) and self._line_begins(text, place):
            self._mode = self._home = Finder._prose
        return place + len(run)

    def _json(self, text: str, at: int) -> int:
        """A fence of JSON, between values: whatever stands there is a value, or the fence's end."""
        return self._value_or_end(text, at, Candidate(firm=True))

    def _unnamed(self, text: str, at: int) -> int:
        """A fence without a language: JSON if it begins like it; in a text, where it is shown to be."""
        return self._value_or_end(text, at, Candidate(lead=self._lead or not self._examples))

    def _value_or_end(self, text: str, at: int, candidate: Candidate) -> int:
        found = _solid(text, at)
        if found is None:
            return len(text)
        place = found.start()
        if text[place] in "`~" or (self._home is Finder._unnamed and text[place] not in "[{"):
            self._mode = Finder._code
            return place
        self._try(candidate, place)
        return place

    def _try(self, candidate: Candidate, at: int) -> None:
        self._candidate = candidate
        self._start = self._read + at
        self._mode = Finder._value

    def _value(self, text: str, at: int) -> int:
        """A candidate."""
        candidate = self._candidate
        at = candidate.feed(text, at)
        verdict = candidate.verdict
        if verdict is Verdict.OPEN:
            return at
        if verdict is Verdict.WHOLE:
            self._tell(self._read + at)
            self._mode = Finder._after
        elif verdict is Verdict.PROSE:
            self._mode = Finder._prose if self._home is Finder._prose else Finder._code
        else:
            self._mode = Finder._broken
        return at

    def _broken(self, text: str, at: int) -> int:
        """Where a candidate is broken: it is a flaw, or an example."""
        if self._examples and not self._lead:
            sign = text[at : at + 3]
            members = sign[0] == ":" and not self._candidate.at  # behind a string that was taken for a value
            if members or sign.startswith(_EXAMPLE):
                self._mode = Finder._prose if self._home is Finder._prose else Finder._code
                return at
            if len(sign) < 3 and any(mark.startswith(sign) for mark in _EXAMPLE):
                return self._wait(text, at)
        self._flaw = self._flawed(at)
        return at

    def _flawed(self, at: int) -> Flaw:
        self._tell(None)
        return Flaw(why=self._candidate.why, at=self._read + at)

    def _after(self, text: str, at: int) -> int:
        """Behind a value: a closing bracket there closes nothing."""
        found = _solid(text, at)
        if found is None:
            return len(text)
        if text[found.start()] in "]}":
            self._flaw = Flaw(why="a closing bracket that does not fit", at=self._read + found.start())
        self._mode = self._home
        return at

    def _tell(self, end: int | None) -> None:
        if self._found is not None:
            self._found(Found(start=self._start, end=end, firm=self._candidate.firm))

    def _wait(self, text: str, at: int) -> int:
        """Judge the rest together with what comes next."""
        self._carry = text[at:]
        return len(text)

    def _ahead(self, text: str, place: int) -> str:
        """The last characters before a place."""
        return text[place - _REACH : place] if place >= _REACH else (self._before + text[:place])[-_REACH:]

    def _line_begins(self, text: str, place: int) -> bool:
        """Nothing but blanks and the marks of lists and quotations stands before the place in its line."""
        return not self._ahead(text, place).rpartition("\n")[2].strip(" \t>-*+.)0123456789")

    def _runs_on(self, text: str, place: int, run: str) -> bool:
        """The run may go on in the text to come."""
        return place + len(run) == len(text) and len(run) < _FENCE_LINE

    def _closes(self, run: str) -> bool:
        return run[0] == self._fence[0] and len(run) >= len(self._fence)


_PROSE = Finder._prose
