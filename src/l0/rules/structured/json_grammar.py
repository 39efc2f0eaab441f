r"""Define the grammar of RFC 8259 as a table from a state and a character to the next state.

The table follows the RFC exactly: ``NaN``, comments, single quotes and trailing commas are not JSON. Like the RFC, and
unlike some parsers, it does not limit nesting or numbers, and accepts lone surrogates in ``\u`` escapes.
"""

from __future__ import annotations

import re
from collections.abc import Callable

# States. Those up to END are between tokens; the others are inside a token.
VALUE, ITEM, KEY, MEMBER, COLON, NEXT, END = range(7)
STRING, STRING_ESCAPE, NAME, NAME_ESCAPE = range(7, 11)
MINUS, ZERO, DIGITS, POINT, FRACTION, EXPONENT, SIGN, POWER = range(11, 19)

# Moves that depend on the open brackets. AFTER leads to NEXT, or to END if no bracket is open. BREAK: an error.
OPEN, CLOSE, COMMA, AFTER, BREAK = -1, -2, -3, -4, -5

CLOSERS = {"{": "}", "[": "]"}
"""The closing bracket of each opening one."""

_BLANK = " \t\n\r"
_HEX = "0123456789abcdefABCDEF"

_EXPECTED = {
    VALUE: "a value was expected",
    ITEM: "a value or ] was expected",
    KEY: "a key in double quotes was expected",
    MEMBER: "a key in double quotes or } was expected",
    COLON: "a colon was expected",
    NEXT: "a comma or a closing bracket was expected",
    END: "extra text after the value",
    STRING: "a control character in a string",
    NAME: "a control character in a key",
    CLOSE: "a closing bracket that does not match",
}

_Moves = dict[str, int]


def _table() -> tuple[list[_Moves], dict[int, str]]:
    """Return the moves of every state, and the error of each state that has no matching move."""
    errors = dict(_EXPECTED)
    value: _Moves = {'"': STRING, "{": OPEN, "[": OPEN, "-": MINUS, "0": ZERO, **dict.fromkeys("123456789", DIGITS)}
    after: _Moves = {**dict.fromkeys(_BLANK, AFTER), ",": COMMA, "}": CLOSE, "]": CLOSE}
    exponent: _Moves = {"e": EXPONENT, "E": EXPONENT}
    digits = dict.fromkeys("0123456789", POWER)
    moves: list[_Moves] = [{} for _ in range(19)]
    for word in ("true", "false", "null"):
        _chain(moves, value, word, AFTER)
    moves[VALUE] = value
    moves[ITEM] = {**value, "]": CLOSE}
    moves[KEY] = {'"': NAME}
    moves[MEMBER] = {'"': NAME, "}": CLOSE}
    moves[COLON] = {":": VALUE}
    moves[NEXT] = {",": COMMA, "}": CLOSE, "]": CLOSE}
    moves[STRING] = {'"': AFTER, "\\": STRING_ESCAPE}
    moves[NAME] = {'"': COLON, "\\": NAME_ESCAPE}
    for content, escape in ((STRING, STRING_ESCAPE), (NAME, NAME_ESCAPE)):
        moves[escape] = dict.fromkeys('"\\/bfnrt', content)
        first = len(moves)
        moves[escape]["u"] = first
        moves.extend(dict.fromkeys(_HEX, state) for state in (first + 1, first + 2, first + 3, content))
        errors.update(dict.fromkeys((escape, *range(first, first + 4)), "an invalid escape"))
    moves[MINUS] = {"0": ZERO, **dict.fromkeys("123456789", DIGITS)}
    moves[ZERO] = {**after, **exponent, ".": POINT}
    moves[DIGITS] = moves[ZERO]
    moves[POINT] = dict.fromkeys("0123456789", FRACTION)
    moves[FRACTION] = {**after, **exponent}
    moves[EXPONENT] = {**digits, "+": SIGN, "-": SIGN}
    moves[SIGN] = digits
    moves[POWER] = after
    errors.update(dict.fromkeys(range(MINUS, POWER + 1), "a malformed number"))
    for state in range(POWER + 1, len(moves)):
        errors.setdefault(state, "an invalid literal")
    return moves, errors


def _chain(moves: list[_Moves], start: _Moves, word: str, target: int) -> None:
    """Add states for the letters of a literal."""
    before = start
    for letter in word[:-1]:
        before[letter] = len(moves)
        before = {}
        moves.append(before)
    before[word[-1]] = target


MOVES, ERRORS = _table()

_blanks = re.compile(r"[ \t\n\r]*+").match
_characters = re.compile(r'[^"\\\x00-\x1f]*+').match
_digits = re.compile(r"[0-9]*+").match

SKIPS: list[Callable[[str, int], re.Match[str] | None] | None] = [None] * len(MOVES)
"""For each state, a matcher of the text that does not change it: blanks, string content, digits."""
SKIPS[: END + 1] = [_blanks] * (END + 1)
SKIPS[STRING] = SKIPS[NAME] = _characters
SKIPS[DIGITS] = SKIPS[FRACTION] = SKIPS[POWER] = _digits
