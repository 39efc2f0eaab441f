"""Repair strings that are not valid JSON: find their end, and the edits that make them valid."""

from __future__ import annotations

import re

from .edits import Edit, EditKind

CLOSING_QUOTES = {'"': '"', "'": "'", "\u201c": "\u201d", "\u2018": "\u2019"}
"""Quotes that may begin a string, with the quotes that end it."""

_plain = re.compile(r"""[^"'\\\x00-\x1f\u2019\u201d]*+""").match
_escape = re.compile(r'\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})').match
_incomplete_escape = re.compile(r"(?:\\u[dD][89abAB][0-9a-fA-F]{2})?(?:\\(?:u[0-9a-fA-F]{0,3})?)?\Z").match
_hex_escape = re.compile(r"\\x([0-9a-fA-F]{2})").match
_delimiter = re.compile(r"[ \t\r\n]*+(?:[,:\]}]|\Z)").match
_ESCAPES = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b", "\f": "\\f"}


def repair_string(text: str, at: int, end: int) -> tuple[int, list[Edit]]:
    """Repair the string that begins at ``at``, in a text that ends at ``end``.

    Return the string's end and its edits.
    """
    closing = CLOSING_QUOTES[text[at]]
    edits = [] if closing == '"' else [Edit(kind=EditKind.QUOTES, at=at, removed=1, inserted='"')]
    place = at + 1
    while True:
        place = _plain(text, place, end).end()  # type: ignore[union-attr]  # it matches the empty text as well
        if place >= end:
            return end, [*edits, Edit(kind=EditKind.UNCLOSED_STRING, at=end, inserted='"')]
        char = text[place]
        if char == "\\":
            place = _repair_escape(text, place, end, edits)
            continue
        if char == closing == '"':
            return place + 1, edits
        if char == closing and _delimiter(text, place + 1, end):
            return place + 1, [*edits, Edit(kind=EditKind.QUOTES, at=place, removed=1, inserted='"')]
        if char == '"':
            edits.append(Edit(kind=EditKind.QUOTES, at=place, inserted="\\"))
        elif char < " ":
            escape = _ESCAPES.get(char, f"\\u{ord(char):04x}")
            edits.append(Edit(kind=EditKind.CONTROL_CHARACTER, at=place, removed=1, inserted=escape))
        place += 1


def _repair_escape(text: str, at: int, end: int, edits: list[Edit]) -> int:
    """Repair an escape. Return the place after it."""
    if _incomplete_escape(text, at, end):  # half a surrogate pair is also an incomplete escape
        edits.append(Edit(kind=EditKind.CUT_VALUE, at=at, removed=end - at))
        return end
    if escape := _escape(text, at, end):
        return escape.end()
    if code := _hex_escape(text, at, end):
        edits.append(Edit(kind=EditKind.ESCAPE, at=at, removed=4, inserted=f"\\u00{code[1]}"))
        return at + 4
    if text[at + 1] == "'":
        edits.append(Edit(kind=EditKind.ESCAPE, at=at, removed=1))
        return at + 2
    edits.append(Edit(kind=EditKind.ESCAPE, at=at, inserted="\\"))
    return at + 1
