"""Describe a repair as a list of named edits from the given text to the text that parses."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class EditKind(StrEnum):
    """The kind of an edit."""

    PROSE = "prose"
    """Text around the JSON was removed."""
    FENCE = "fence"
    """A Markdown fence was removed."""
    COMMENT = "comment"
    """A comment was removed."""
    EXTRA_COMMA = "extra_comma"
    """A leading, double or trailing comma was removed."""
    MISSING_COMMA = "missing_comma"
    MISSING_COLON = "missing_colon"
    MISSING_VALUE = "missing_value"
    """A key had no value: null was inserted."""
    QUOTES = "quotes"
    """Single or typographic quotes became double quotes, and double quotes between them were escaped."""
    BARE_KEY = "bare_key"
    """Quotes were added to a key."""
    WORD = "word"
    """A literal of another language was replaced: ``True`` by true, ``None`` and ``NaN`` by null."""
    NUMBER = "number"
    """A number in another notation was rewritten: ``+1``, ``.5``, ``1.``."""
    CONTROL_CHARACTER = "control_character"
    """A control character in a string was escaped."""
    ESCAPE = "escape"
    """A backslash that does not begin a JSON escape was fixed."""
    STRAY_BRACKET = "stray_bracket"
    """A closing bracket without an opening one was removed."""
    UNCLOSED_STRING = "unclosed_string"
    UNCLOSED_ARRAY = "unclosed_array"
    UNCLOSED_OBJECT = "unclosed_object"
    CUT_MEMBER = "cut_member"
    """The text ended in a key or before its value: the key was removed."""
    CUT_VALUE = "cut_value"
    """The text ended in a literal, which was completed, or in a number or an escape, whose last part was removed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """One edit. ``at``: its position in the given text. ``removed``: number of removed characters from there on.

    ``inserted``: text that replaces them.
    """

    kind: EditKind
    at: int
    removed: int = 0
    inserted: str = ""


def apply(text: str, edits: Iterable[Edit]) -> str:
    """Return the text after these edits. They must be in order and must not overlap."""
    parts: list[str] = []
    kept = 0
    for edit in edits:
        parts += (text[kept : edit.at], edit.inserted)
        kept = max(kept, edit.at + edit.removed)
    return "".join((*parts, text[kept:]))
