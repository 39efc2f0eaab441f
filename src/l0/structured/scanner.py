"""An incremental JSON scanner: text in pieces in, a verdict on the text so far out, at the cost of the new text only.

What is remembered is a state of `grammar` and the open brackets. What a state skips without leaving it (blanks, the
inside of a string, digits) is skipped by a regular expression.
"""

from __future__ import annotations

from enum import StrEnum

from .grammar import (
    AFTER,
    BREAK,
    CLOSE,
    COMMA,
    DIGITS,
    END,
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
    WHY,
    ZERO,
)

_CLOSERS = {"{": "}", "[": "]"}
_WHOLE_NUMBERS = (ZERO, DIGITS, FRACTION, POWER)


class Status(StrEnum):
    """What a text is so far."""

    EMPTY = "empty"
    """Nothing but white space."""
    INSIDE = "inside"
    """The beginning of JSON."""
    COMPLETE = "complete"
    """One JSON value. A number at the top may still grow."""
    BROKEN = "broken"
    """No JSON, and nothing that may follow makes it JSON."""


class Scanner:
    """The state of one text. ``at``: characters taken; where the text is broken, those before the offending one.

    ``alone``: the value is all there is. Otherwise something may follow it, which is not taken.
    """

    __slots__ = ("_alone", "_began", "_open", "_state", "at", "why")

    def __init__(self, *, alone: bool = True) -> None:
        self.at = 0
        self._alone = alone
        self.why: str | None = None
        """What is wrong with a broken text, of a bounded set of phrases; ``None`` for any other."""
        self._state = VALUE
        self._open: list[str] = []
        self._began = False

    @property
    def status(self) -> Status:
        """The verdict on all that was fed."""
        if self.why is not None:
            return Status.BROKEN
        if not self._began:
            return Status.EMPTY
        whole = self._state == END or (not self._open and self._state in _WHOLE_NUMBERS)
        return Status.COMPLETE if whole else Status.INSIDE

    @property
    def depth(self) -> int:
        """How many brackets are open."""
        return len(self._open)

    @property
    def open(self) -> str:
        """The open brackets, outermost first."""
        return "".join(self._open)

    @property
    def in_string(self) -> bool:
        """Inside of a string or a key, escapes included."""
        return self._state in (STRING, NAME) or self.in_escape

    @property
    def in_escape(self) -> bool:
        """After a backslash, before its escape is whole."""
        return WHY.get(self._state) == WHY[STRING_ESCAPE]

    def feed(self, text: str, start: int = 0) -> int:
        """New text, from ``start`` on; costs O(len(text) - start).

        Returns the place in it up to which it was taken: its end, or that of the break, or of what follows the value.
        """
        if self.why is not None:
            return start
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
            elif move == CLOSE and open_ and _CLOSERS[open_[-1]] == char:
                open_.pop()
                state = NEXT if open_ else END
            elif move == COMMA and open_:
                state = KEY if open_[-1] == "{" else VALUE
            else:
                state = self._stopped(state, move)
                break
            at += 1
        self._began = self._began or state != VALUE or bool(open_)
        self._state = state
        self.at += at - start
        return at

    def _stopped(self, state: int, move: int) -> int:
        """Nothing may stand here, unless it follows a value that is not alone. Returns the state."""
        if move != BREAK and not self._open:  # a number at the top ends where a comma or a bracket comes
            state = END
        if self._alone or state != END:
            self.why = WHY[CLOSE] if move == CLOSE and self._open else WHY[state]
        return state
