"""Decide if text that begins with a bracket is JSON, and then if that JSON is complete.

In prose, a bracket proves nothing: ``[1] Smith``, ``[0, 1)`` and ``{name}`` are not JSON. A candidate becomes JSON with
the first comma or colon after a string. An error after that is reported. An error before it means that the candidate
was prose, unless the answer begins with the candidate and the error is typical of JSON.
"""

from __future__ import annotations

import re
from enum import Enum, auto

from .json_scanner import JsonScanner, ScanStatus

_piece = re.compile(r"[^:,]{0,64}+[:,]?").match  # bounded, so that prose is rejected before the complete text is read
_bare_key = re.compile(r"[\w$ \t-]*+").match
_JSON_BREAKS = frozenset("]},'\"/`")
"""Characters at which broken JSON fails and prose does not: extra commas, single quotes, comments, fence ends."""


class CandidateVerdict(Enum):
    """The classification of a candidate."""

    OPEN = auto()
    """More text is needed; at the end of the text: incomplete JSON."""
    COMPLETE = auto()
    """One complete JSON value."""
    PROSE = auto()
    """Not JSON, and not meant as JSON."""
    BROKEN = auto()
    """JSON with an error."""


class JsonCandidate:
    """A possible JSON value. ``firm``: it is certainly JSON. ``lead``: only blanks precede it."""

    __slots__ = ("_comma", "_lead", "_in_bare_key", "_quoted", "_scanner", "firm", "verdict")

    def __init__(self, *, firm: bool = False, lead: bool = False) -> None:
        self.verdict = CandidateVerdict.OPEN
        self._scanner = JsonScanner(alone=False)
        self.firm = firm
        self._lead = lead
        self._quoted = self._comma = self._in_bare_key = False

    @property
    def at(self) -> int:
        """Return the number of scanned characters of the value."""
        return self._scanner.at

    @property
    def reason(self) -> str:
        """Return the reason why a value is broken."""
        return self._scanner.reason or "a key without quotes"

    def feed(self, text: str, start: int = 0) -> int:
        """Read new text from ``start`` on.

        Return the end of the text that belongs to the value: the end of all text while the verdict is ``OPEN``.
        """
        if self._in_bare_key:
            return self._read_bare_key(text, start)
        at = start
        while not self.firm:
            end = _piece(text, at).end()  # type: ignore[union-attr]  # it matches the empty text as well
            if end == at:
                return at
            piece = text[at:end]
            consumed = self._scanner.feed(piece)
            self._quoted = self._quoted or '"' in piece[:consumed]
            at += consumed
            if at < end:
                return self._stopped(text, at)
            if piece[-1] in ":," and not self._scanner.in_string:
                self._comma = True
                self.firm = self._quoted
        at = self._scanner.feed(text, at)
        return self._stopped(text, at) if at < len(text) else at

    def finish(self) -> CandidateVerdict:
        """Return the verdict at the end of the text. ``OPEN``: JSON that is incomplete."""
        if self._scanner.status is ScanStatus.COMPLETE:
            self.verdict = CandidateVerdict.COMPLETE
        elif self._in_bare_key or not (self.firm or self._lead or self._quoted or self._comma):
            self.verdict = CandidateVerdict.PROSE
        return self.verdict

    def _stopped(self, text: str, at: int) -> int:
        """Set the verdict after the scanner has stopped."""
        if self._scanner.status is ScanStatus.COMPLETE:
            self.verdict = CandidateVerdict.COMPLETE
        elif self.firm or (self._lead and (self._quoted or text[at] in _JSON_BREAKS)):
            self.verdict = CandidateVerdict.BROKEN
        elif self._lead and self._scanner.open.endswith("{"):
            self._in_bare_key = True
            return self._read_bare_key(text, at)
        else:
            self.verdict = CandidateVerdict.PROSE
        return at

    def _read_bare_key(self, text: str, at: int) -> int:
        """Read a key without quotes after a brace: the value is broken JSON if a colon follows, else prose."""
        end = _bare_key(text, at).end()  # type: ignore[union-attr]  # it matches the empty text as well
        if end < len(text):
            self.verdict = CandidateVerdict.BROKEN if text[end] == ":" else CandidateVerdict.PROSE
        return end
