"""The grammar of RFC 8259 as a table: a state, a character, the next state. `scanner` walks it.

It follows the RFC to the letter: ``NaN``, comments, single quotes and trailing commas are not JSON. Like the RFC, and
unlike some parsers, it sets no limit to nesting or to numbers, and takes lone surrogates in ``\\u`` escapes.
"""

from __future__ import annotations

import re
from collections.abc import Callable

# States. Those up to END stand between tokens; the others are inside of one.
VALUE, ITEM, KEY, MEMBER, COLON, NEXT, END = range(7)
STRING, STRING_ESCAPE, NAME, NAME_ESCAPE = range(7, 11)
MINUS, ZERO, DIGITS, POINT, FRACTION, EXPONENT, SIGN, POWER = range(11, 19)

# Moves that need the open brackets. After a value comes NEXT or, where nothing is open, END. BREAK: there is no move.
OPEN, CLOSE, COMMA, AFTER, BREAK = -1, -2, -3, -4, -5

_BLANK = " \t\n\r"
_HEX = "0123456789abcdefABCDEF"

_EXPECTED = {
    VALUE: "a value was expected",
    ITEM: "a value or ] was expected",
    KEY: "a key in double quotes was expected",
    MEMBER: "a key in double quotes or } was expected",
    COLON: "a colon was expected",
    NEXT: "a comma or a closing bracket was expected",
    END: "something follows the value",
    STRING: "a control character in a string",
    NAME: "a control character in a key",
    CLOSE: "a closing bracket that does not fit",
}

_Moves = dict[str, int]


def _table() -> tuple[list[_Moves], dict[int, str]]:
    """The moves of every state, and what went wrong where none fits."""
    why = dict(_EXPECTED)
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
    for text, escape in ((STRING, STRING_ESCAPE), (NAME, NAME_ESCAPE)):
        moves[escape] = dict.fromkeys('"\\/bfnrt', text)
        first = len(moves)
        moves[escape]["u"] = first
        moves.extend(dict.fromkeys(_HEX, state) for state in (first + 1, first + 2, first + 3, text))
        why.update(dict.fromkeys((escape, *range(first, first + 4)), "an escape that JSON does not have"))
    moves[MINUS] = {"0": ZERO, **dict.fromkeys("123456789", DIGITS)}
    moves[ZERO] = {**after, **exponent, ".": POINT}
    moves[DIGITS] = moves[ZERO]
    moves[POINT] = dict.fromkeys("0123456789", FRACTION)
    moves[FRACTION] = {**after, **exponent}
    moves[EXPONENT] = {**digits, "+": SIGN, "-": SIGN}
    moves[SIGN] = digits
    moves[POWER] = after
    why.update(dict.fromkeys(range(MINUS, POWER + 1), "a malformed number"))
    for state in range(POWER + 1, len(moves)):
        why.setdefault(state, "a misspelt word")
    return moves, why


def _chain(moves: list[_Moves], start: _Moves, word: str, target: int) -> None:
    """States for the letters of a word."""
    before = start
    for letter in word[:-1]:
        before[letter] = len(moves)
        before = {}
        moves.append(before)
    before[word[-1]] = target


MOVES, WHY = _table()

_blanks = re.compile(r"[ \t\n\r]*+").match
_characters = re.compile(r'[^"\\\x00-\x1f]*+').match
_digits = re.compile(r"[0-9]*+").match

SKIPS: list[Callable[[str, int], re.Match[str] | None] | None] = [None] * len(MOVES)
"""What each state passes over without a change: blanks, the inside of a string, digits."""
SKIPS[: END + 1] = [_blanks] * (END + 1)
SKIPS[STRING] = SKIPS[NAME] = _characters
SKIPS[DIGITS] = SKIPS[FRACTION] = SKIPS[POWER] = _digits
