"""What a repair did, as a list of named edits that lead from the text that was given to the one that parses."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class EditKind(StrEnum):
    """What was wrong. A bounded set: they become values of an attribute."""

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
    """A key had no value: it is null now."""
    QUOTES = "quotes"
    """Single or typographic quotes became double quotes, and double quotes between them were escaped."""
    BARE_KEY = "bare_key"
    """A key had no quotes."""
    WORD = "word"
    """A word of another language became JSON's: ``True``, ``None``, ``NaN`` (null)."""
    NUMBER = "number"
    """A number was not written as JSON writes it: ``+1``, ``.5``, ``1.``."""
    CONTROL_CHARACTER = "control_character"
    """A control character in a string was escaped."""
    ESCAPE = "escape"
    """A backslash that begins no escape of JSON."""
    STRAY_BRACKET = "stray_bracket"
    """A closing bracket that closed nothing was removed."""
    UNCLOSED_STRING = "unclosed_string"
    UNCLOSED_ARRAY = "unclosed_array"
    UNCLOSED_OBJECT = "unclosed_object"
    CUT_MEMBER = "cut_member"
    """The text ended in a key, or before its value: the key was removed."""
    CUT_VALUE = "cut_value"
    """The text ended in a word, which was completed, or in a number or an escape, whose begun part was removed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """One place. ``at``: characters of the given text before it; ``removed``: how many characters went; ``inserted``:
    what came in their place."""

    kind: EditKind
    at: int
    removed: int = 0
    inserted: str = ""


def apply(text: str, edits: Iterable[Edit]) -> str:
    """The text after these edits, which stand in order and do not overlap."""
    parts: list[str] = []
    kept = 0
    for edit in edits:
        parts += (text[kept : edit.at], edit.inserted)
        kept = max(kept, edit.at + edit.removed)
    return "".join((*parts, text[kept:]))
