"""Find JSON in an answer and check that it is complete: incrementally, in prose, inline code and fences.

JSON is searched in ``json`` fences; at the start of an answer, or of a fence without a language; and after prose at a
new line, a colon or the end of a sentence. Code in other languages is skipped.

A text about JSON may show examples for readers: with comments, with dots for omitted parts, or members without their
object. The caller can choose to ignore errors in examples after prose.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from .json_candidate import CandidateVerdict, JsonCandidate

_REACH = 8
"""Number of characters before a place that decide whether a line or a value may begin there."""
_FENCE_LINE = 100
"""Maximum length of a line that opens a fence, in characters: the search waits until it is complete."""

_mark = re.compile(r"[`~{\[]").search
_code_mark = re.compile(r"[`~]").search
_inline_mark = re.compile(r"[`\n]").search
_run = re.compile(r"`++|~++").match
_non_blank = re.compile(r"[^ \t\r\n]").search
_MAY_PRECEDE = "\n:.!?>" + "\uff1a\u3002\uff01\uff1f"
"""In prose, JSON may begin only after one of these; Chinese and Japanese use full-width signs."""
_EXAMPLE = ("//", "/*", "#", "...", "\u2026", "<")
"""Beginnings that only examples contain: comments, dots for omitted parts, and names in place of values."""
UNTERMINATED = "the answer ends before its JSON is complete"
_JSON_FENCES = frozenset({"json", "jsonl", "ndjson"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Flaw:
    """Broken or incomplete JSON. ``at``: number of characters of the answer before the error."""

    reason: str
    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonSpan:
    """JSON in an answer. ``end``: ``None`` if it is broken or incomplete. ``firm``: it cannot be prose."""

    start: int
    end: int | None
    firm: bool


class JsonLocator:
    """The search in one answer. It stops at the first flaw.

    ``on_value`` is called for every value, complete or not. ``examples``: ignore errors in examples, that is, in JSON
    after prose.
    """

    __slots__ = (
        "_before",
        "_has_content",
        "_candidate",
        "_carry",
        "_examples",
        "_fence",
        "_flaw",
        "_on_value",
        "_outer_mode",
        "_lead",
        "_mode",
        "_offset",
        "_start",
        "_ticks",
    )

    def __init__(self, on_value: Callable[[JsonSpan], None] | None = None, *, examples: bool = False) -> None:
        self._on_value = on_value
        self._examples = examples
        self._start = 0  # place of the candidate in the answer
        self._outer_mode = self._mode = JsonLocator._prose
        self._candidate = JsonCandidate()
        self._has_content = False  # true if something other than blanks was read
        self._lead = True  # true if only blanks precede the candidate or its fence
        self._fence = ""  # the run of ticks or tildes that opened the fence
        self._ticks = 0  # number of ticks that opened the inline code
        self._before = ""  # the last characters before the current text
        self._carry = ""  # the end of the previous text, which is still undecided
        self._offset = 0  # number of characters of the answer before the current text
        self._flaw: Flaw | None = None

    def feed(self, text: str) -> Flaw | None:
        """Search new text. Return the flaw, if there is one. Costs O(len(text))."""
        if self._flaw is not None:
            return None
        if (  # fast path for most text: four substring tests take a third of the time of one regular expression
            self._mode is _PROSE
            and self._has_content
            and not ("{" in text or "[" in text or "`" in text or "~" in text or self._carry)
        ):
            self._offset += len(text)  # as `_advance`, without a call
            self._before = (self._before + text)[-_REACH:]
            return None
        if self._carry:
            text, self._carry = self._carry + text, ""
        at, end = 0, len(text)
        while at < end and self._flaw is None:
            at = self._mode(self, text, at)
        if self._carry:
            text = text[: end - len(self._carry)]
        self._advance(text)
        return self._flaw

    def _advance(self, text: str) -> None:
        self._offset += len(text)
        self._before = text[-_REACH:] if len(text) >= _REACH else (self._before + text)[-_REACH:]

    def finish(self) -> Flaw | None:
        """Return the flaw that the end of the answer leaves, if any."""
        if self._mode is JsonLocator._broken and self._flaw is None:
            return self._broken_flaw(0)
        if self._flaw is not None or self._mode is not JsonLocator._value:
            return None
        match self._candidate.finish():
            case CandidateVerdict.OPEN:
                self._notify(None)
                return Flaw(reason=UNTERMINATED, at=self._offset + len(self._carry))
            case CandidateVerdict.COMPLETE:
                self._notify(self._offset)
        return None

    # Modes: each method reads some of the text from `at` on, and returns the place from which the next one reads. If it
    # needs more text to decide, it keeps the rest for the next call (`_wait`).

    def _prose(self, text: str, at: int) -> int:
        found = _mark(text, at)
        if found is None:
            self._has_content = self._has_content or _non_blank(text, at) is not None
            return len(text)
        place = found.start()
        self._lead = lead = not self._has_content and _non_blank(text, at, place) is None
        self._has_content = not lead
        if text[place] in "[{":
            self._has_content = True
            if not lead and self._text_before(text, place).rstrip(" \t*_")[-1:] not in _MAY_PRECEDE:
                return place + 1
            self._start_candidate(JsonCandidate(lead=lead), place)
            return place
        return self._read_ticks(text, place)

    def _read_ticks(self, text: str, at: int) -> int:
        """Read a run of ticks or tildes, which opens a fence or inline code."""
        run = _run(text, at)[0]  # type: ignore[index]  # the place was found by its first character
        fence = len(run) >= 3 and self._line_begins(text, at)
        line_end = text.find("\n", at, at + _FENCE_LINE) if fence else -1
        if self._may_continue(text, at, run) or (fence and line_end < 0 and len(text) - at < _FENCE_LINE):
            return self._wait(text, at)
        self._has_content = True
        if fence and line_end >= 0:
            language = text[at + len(run) : line_end].strip().partition(" ")[0].lower()
            self._fence = run
            self._outer_mode = (
                JsonLocator._json
                if language in _JSON_FENCES
                else JsonLocator._code
                if language
                else JsonLocator._unnamed
            )
            self._mode = self._outer_mode
            return line_end
        if run[0] == "`":
            self._ticks = len(run)
            self._mode = JsonLocator._inline
        return at + len(run)

    def _inline(self, text: str, at: int) -> int:
        """Read inline code, which ends with as many ticks as opened it, or with the line."""
        found = _inline_mark(text, at)
        if found is None:
            return len(text)
        place = found.start()
        if text[place] == "\n":
            self._mode = JsonLocator._prose
            return place
        run = _run(text, place)[0]  # type: ignore[index]  # as above
        if self._may_continue(text, place, run):
            return self._wait(text, place)
        if len(run) == self._ticks:
            self._mode = JsonLocator._prose
        return place + len(run)

    def _code(self, text: str, at: int) -> int:
        """Read a fence of another language."""
        found = _code_mark(text, at)
        if found is None:
            return len(text)
        place = found.start()
        run = _run(text, place)[0]  # type: ignore[index]  # as above
        if self._may_continue(text, place, run):
            return self._wait(text, place)
        if self._closes(run) and self._line_begins(text, place):
            self._mode = self._outer_mode = JsonLocator._prose
        return place + len(run)

    def _json(self, text: str, at: int) -> int:
        """Read a JSON fence between values: the next text is a value or the end of the fence."""
        return self._value_or_end(text, at, JsonCandidate(firm=True))

    def _unnamed(self, text: str, at: int) -> int:
        """Read a fence without a language: JSON if it begins like JSON. An example must also prove to be JSON."""
        return self._value_or_end(text, at, JsonCandidate(lead=self._lead or not self._examples))

    def _value_or_end(self, text: str, at: int, candidate: JsonCandidate) -> int:
        found = _non_blank(text, at)
        if found is None:
            return len(text)
        place = found.start()
        if text[place] in "`~" or (self._outer_mode is JsonLocator._unnamed and text[place] not in "[{"):
            self._mode = JsonLocator._code
            return place
        self._start_candidate(candidate, place)
        return place

    def _start_candidate(self, candidate: JsonCandidate, at: int) -> None:
        self._candidate = candidate
        self._start = self._offset + at
        self._mode = JsonLocator._value

    def _value(self, text: str, at: int) -> int:
        """Read a candidate."""
        candidate = self._candidate
        at = candidate.feed(text, at)
        verdict = candidate.verdict
        if verdict is CandidateVerdict.OPEN:
            return at
        if verdict is CandidateVerdict.COMPLETE:
            self._notify(self._offset + at)
            self._mode = JsonLocator._after
        elif verdict is CandidateVerdict.PROSE:
            self._mode = JsonLocator._prose if self._outer_mode is JsonLocator._prose else JsonLocator._code
        else:
            self._mode = JsonLocator._broken
        return at

    def _broken(self, text: str, at: int) -> int:
        """Handle a broken candidate: it is a flaw or an example."""
        if self._examples and not self._lead:
            sign = text[at : at + 3]
            members = sign[0] == ":" and not self._candidate.at  # after a string that was read as a value
            if members or sign.startswith(_EXAMPLE):
                self._mode = JsonLocator._prose if self._outer_mode is JsonLocator._prose else JsonLocator._code
                return at
            if len(sign) < 3 and any(mark.startswith(sign) for mark in _EXAMPLE):
                return self._wait(text, at)
        self._flaw = self._broken_flaw(at)
        return at

    def _broken_flaw(self, at: int) -> Flaw:
        self._notify(None)
        return Flaw(reason=self._candidate.reason, at=self._offset + at)

    def _after(self, text: str, at: int) -> int:
        """Check the text after a value: a closing bracket there is unmatched."""
        found = _non_blank(text, at)
        if found is None:
            return len(text)
        if text[found.start()] in "]}":
            self._flaw = Flaw(reason="a closing bracket that does not match", at=self._offset + found.start())
        self._mode = self._outer_mode
        return at

    def _notify(self, end: int | None) -> None:
        if self._on_value is not None:
            self._on_value(JsonSpan(start=self._start, end=end, firm=self._candidate.firm))

    def _wait(self, text: str, at: int) -> int:
        """Keep the rest until more text comes."""
        self._carry = text[at:]
        return len(text)

    def _text_before(self, text: str, place: int) -> str:
        """Return the last characters before a place."""
        return text[place - _REACH : place] if place >= _REACH else (self._before + text[:place])[-_REACH:]

    def _line_begins(self, text: str, place: int) -> bool:
        """Return True if only blanks and list or quotation marks precede the place in its line."""
        return not self._text_before(text, place).rpartition("\n")[2].strip(" \t>-*+.)0123456789")

    def _may_continue(self, text: str, place: int, run: str) -> bool:
        """Return True if the run may continue in the next text."""
        return place + len(run) == len(text) and len(run) < _FENCE_LINE

    def _closes(self, run: str) -> bool:
        return run[0] == self._fence[0] and len(run) >= len(self._fence)


_PROSE = JsonLocator._prose
