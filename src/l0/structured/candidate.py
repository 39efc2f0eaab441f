"""Whether what begins with a bracket is JSON at all, and then whether it is whole.

In a text a bracket is no proof: ``[1] Smith``, ``[0, 1)`` and ``{name}`` are prose. So a candidate is *taken for* JSON
until a string and a comma or a colon after it were read. From then on it is JSON, and a break is a flaw; before that a
break says that it was prose, unless the answer begins here and it breaks as only JSON does.
"""

from __future__ import annotations

import re
from enum import Enum, auto

from .scanner import Scanner, Status

_piece = re.compile(r"[^:,]{0,64}+[:,]?").match  # bounded: what is prose is left before the whole text is read
_bare_name = re.compile(r"[\w$ \t-]*+").match
_JSON_BREAKS = frozenset("]},'\"/`")
"""Characters that end what began as JSON, and no prose: a comma too many, single quotes, comments, a fence's end."""


class Verdict(Enum):
    """What became of a candidate."""

    OPEN = auto()
    WHOLE = auto()
    PROSE = auto()
    BROKEN = auto()


class Candidate:
    """One value. ``firm``: it is JSON whatever it looks like. ``lead``: nothing stands before it."""

    __slots__ = ("_comma", "_lead", "_name", "_quoted", "_scanner", "firm", "verdict")

    def __init__(self, *, firm: bool = False, lead: bool = False) -> None:
        self.verdict = Verdict.OPEN
        self._scanner = Scanner(alone=False)
        self.firm = firm
        """It is taken for JSON."""
        self._lead = lead
        self._quoted = self._comma = self._name = False

    @property
    def at(self) -> int:
        """Characters of the value before the place that the scanner has come to."""
        return self._scanner.at

    @property
    def why(self) -> str:
        """What is wrong with a broken value."""
        return self._scanner.why or "a key without quotes"

    def feed(self, text: str, start: int = 0) -> int:
        """New text, from ``start`` on. Returns up to where it belongs to the value: its end while the value is open."""
        if self._name:
            return self._read_name(text, start)
        at = start
        while not self.firm:
            end = _piece(text, at).end()  # type: ignore[union-attr]  # it matches the empty text as well
            if end == at:
                return at
            piece = text[at:end]
            took = self._scanner.feed(piece)
            self._quoted = self._quoted or '"' in piece[:took]
            at += took
            if at < end:
                return self._stopped(text, at)
            if piece[-1] in ":," and not self._scanner.in_string:
                self._comma = True
                self.firm = self._quoted
        at = self._scanner.feed(text, at)
        return self._stopped(text, at) if at < len(text) else at

    def finish(self) -> Verdict:
        """The verdict when no more text comes. ``OPEN``: it is JSON that is not whole."""
        if self._scanner.status is Status.COMPLETE:
            self.verdict = Verdict.WHOLE
        elif self._name or not (self.firm or self._lead or self._quoted or self._comma):
            self.verdict = Verdict.PROSE
        return self.verdict

    def _stopped(self, text: str, at: int) -> int:
        """The scanner takes no more."""
        if self._scanner.status is Status.COMPLETE:
            self.verdict = Verdict.WHOLE
        elif self.firm or (self._lead and (self._quoted or text[at] in _JSON_BREAKS)):
            self.verdict = Verdict.BROKEN
        elif self._lead and self._scanner.open.endswith("{"):
            self._name = True
            return self._read_name(text, at)
        else:
            self.verdict = Verdict.PROSE
        return at

    def _read_name(self, text: str, at: int) -> int:
        """After a brace: a key without quotes, if a colon comes after it."""
        end = _bare_name(text, at).end()  # type: ignore[union-attr]  # it matches the empty text as well
        if end < len(text):
            self.verdict = Verdict.BROKEN if text[end] == ":" else Verdict.PROSE
        return end
