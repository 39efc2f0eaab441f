"""Scan JSON incrementally: each piece of text updates the status of all text so far, at the cost of that piece only.

The scanner keeps a state of `json_grammar` and the open brackets. A regular expression skips text that does not change
the state (blanks, string content, digits), since that is faster than a loop over characters.
"""

from __future__ import annotations

from enum import StrEnum

from .json_grammar import (
    AFTER,
    BREAK,
    CLOSE,
    CLOSERS,
    COMMA,
    DIGITS,
    END,
    ERRORS,
    FRACTION,
    ITEM,
    KEY,
    MEMBER,
    MOVES,
    NAME,
    NEXT,
    OPEN,
    POWER,
    SKIPS,
    STRING,
    STRING_ESCAPE,
    VALUE,
    ZERO,
)

_COMPLETE_NUMBERS = (ZERO, DIGITS, FRACTION, POWER)


class ScanStatus(StrEnum):
    """The status of a text so far."""

    EMPTY = "empty"
    """Only white space."""
    INSIDE = "inside"
    """The beginning of a JSON value."""
    COMPLETE = "complete"
    """One JSON value. A number at the top level may still grow."""
    BROKEN = "broken"
    """Not JSON, whatever may follow."""


class JsonScanner:
    """The state of one text. ``at``: number of consumed characters; in a broken text, those before the error.

    ``alone``: the value must be the complete text. Otherwise other text may follow the value; it is not consumed.
    """

    __slots__ = ("_alone", "_has_content", "_open", "_state", "at", "reason")

    def __init__(self, *, alone: bool = True) -> None:
        self.at = 0
        self._alone = alone
        self.reason: str | None = None
        """Error of a broken text, of a bounded set of phrases; ``None`` for any other text."""
        self._state = VALUE
        self._open: list[str] = []
        self._has_content = False

    @property
    def status(self) -> ScanStatus:
        """Return the status of all text so far."""
        if self.reason is not None:
            return ScanStatus.BROKEN
        if not self._has_content:
            return ScanStatus.EMPTY
        whole = self._state == END or (not self._open and self._state in _COMPLETE_NUMBERS)
        return ScanStatus.COMPLETE if whole else ScanStatus.INSIDE

    @property
    def depth(self) -> int:
        """Return the number of open brackets."""
        return len(self._open)

    @property
    def open(self) -> str:
        """Return the open brackets, outermost first."""
        return "".join(self._open)

    @property
    def in_string(self) -> bool:
        """Return True inside a string or a key, including its escapes."""
        return self._state in (STRING, NAME) or self.in_escape

    @property
    def in_escape(self) -> bool:
        """Return True after a backslash until its escape is complete."""
        return ERRORS.get(self._state) == ERRORS[STRING_ESCAPE]  # all states within an escape share this error

    def feed(self, text: str, start: int = 0) -> int:
        """Scan new text from ``start`` on; costs O(len(text) - start).

        Return the end of the consumed text: the text's end, the place of an error, or the end of the value.
        """
        if self.reason is not None:
            return start
        # Local names, and one loop without method calls: this runs for every chunk of JSON.
        state, at, end = self._state, start, len(text)
        open_ = self._open
        while at < end:
            skip = SKIPS[state]
            if skip is not None:
                at = skip(text, at).end()  # type: ignore[union-attr]  # it matches the empty text as well
                if at == end:
                    break
            char = text[at]
            move = MOVES[state].get(char, BREAK)
            if move >= 0:
                state = move
            elif move == AFTER:
                state = NEXT if open_ else END
            elif move == OPEN:
                open_.append(char)
                state = MEMBER if char == "{" else ITEM
            elif move == CLOSE and open_ and CLOSERS[open_[-1]] == char:
                open_.pop()
                state = NEXT if open_ else END
            elif move == COMMA and open_:
                state = KEY if open_[-1] == "{" else VALUE
            else:
                state = self._stopped(state, move)
                break
            at += 1
        self._has_content = self._has_content or state != VALUE or bool(open_)
        self._state = state
        self.at += at - start
        return at

    def _stopped(self, state: int, move: int) -> int:
        """Set the error, unless the value is complete and other text may follow it. Return the new state."""
        if move != BREAK and not self._open:  # a number at the top level ends at a comma or a bracket
            state = END
        if self._alone or state != END:
            self.reason = ERRORS[CLOSE] if move == CLOSE and self._open else ERRORS[state]
        return state
