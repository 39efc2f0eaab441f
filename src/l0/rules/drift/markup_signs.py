"""Signs of broken Markdown in single lines. Each sign has a weight; a correct line has weight 0."""

from __future__ import annotations

import re

from ..markdown_tables import count_cells
from .phrases import words

_OPAQUE = re.compile(r"`+[^`]*`+|\\[|*]|\$[^$]*\$|[(,] ?\*\*\w+")
"""Code, escapes, formulas and keyword arguments: bars and asterisks in them are not markup."""
_NUMBERED = re.compile(r"\.(?<=\d\.) ")
_RULE_LINE = re.compile(r"\s*(?:(?:\*\s*){3,}|(?:-\s*){3,}|(?:_\s*){3,})$")
_GLUED_HEADING = re.compile(r"(?<!\S)#{2,6}[^\W\d_]")
_GLUED_ITEM = re.compile(r"[-+][^\W\d_]")
_OPEN_LINK = re.compile(r"\]\([^()\s]*(?:\s(?![\"'])|$)")
_INNER_HEADING = re.compile(r"(?<=\S)[ \t]#{2,6} \w")
_INNER_ITEM = re.compile(r"(?<=\S) \d{1,2}\. (?=[^\W\d_][^.]*[^\W\d]\.)")
_LOOSE_STARS = re.compile(r"(?<!\S)(?:\*{2,4}|\*(?: \*)+)(?!\S)|\*{4,}")
_SEPARATOR_ROW = re.compile(r"\s*\|?\s*:?-{2,}:?\s*(?:\|\s*:?-{2,}:?\s*)+\|?\s*$|\s*\|\s*:?-{2,}:?\s*\|\s*$")
_LIST_ITEM = re.compile(r"\s*(?:[-*+]|\d{1,3}[.)]) ")
_PROSE = re.compile(r"[^\W\d_a-z][^{};=<>]*[.:!?]$")
_PROSE_WORDS = 7
_MARKUP = re.compile(r"#{2,6} [^\W\d_]|\*\*[^\W\d_][^*]*\*\*|\d\. \*\*")
_PROGRAMMING_LANGUAGES = words(
    "python py javascript js jsx typescript ts tsx java c cpp c++ csharp go rust rs kotlin swift php ruby rb sql"
)
_MULTILINE_MARK = re.compile(r'"""|' + r"'''|`|/\*|\*/|<<<?\w|=begin|=end")


class Table:
    """Follows a table from its separator row to the first line without a bar."""

    __slots__ = ("_columns", "_framed")

    def __init__(self) -> None:
        self._columns = 0
        self._framed = False

    def read(self, line: str) -> float:
        """Return the weight of a line: positive if it is a row that does not fit its table."""
        if "|" not in line:
            self._columns = 0
            return 0.0
        cells, framed = count_cells(_OPAQUE.sub("x", line)), line.lstrip().startswith("|")
        if _SEPARATOR_ROW.match(line):
            self._columns, self._framed = cells, framed
            return 0.0
        if not self._columns or (cells == self._columns and framed == self._framed):
            return 0.0
        return 2.0 if cells > 2 * self._columns else 0.8


class Bold:
    """Follows bold text. It may continue on the next line, but not in the next paragraph, list item or heading."""

    __slots__ = ("_open",)

    def __init__(self) -> None:
        self._open = False

    def read(self, line: str, *, new_block: bool) -> float:
        """Return the weight of a line: positive if it leaves bold text open, negative if it closes it."""
        if new_block or _LIST_ITEM.match(line):
            self._open = False
        if "**" not in line or _OPAQUE.sub("x", line).count("**") % 2 == 0:
            return 0.0
        self._open = not self._open
        return 0.7 if self._open else -0.7


class Fence:
    """Follows a code block in a programming language, and detects prose, headings and bold text in it."""

    __slots__ = ("_in_multiline",)

    def __init__(self) -> None:
        self._in_multiline = False

    def read(self, line: str, language: str) -> float:
        """Return the weight of a line of the block. ``language``: the name on the opening fence."""
        if line.lstrip().startswith(("```", "~~~")):
            self._in_multiline = False
            return 0.0
        if language not in _PROGRAMMING_LANGUAGES:
            return 0.0
        if len(_MULTILINE_MARK.findall(line)) % 2:  # a multi-line string or comment begins or ends here
            self._in_multiline = not self._in_multiline
        elif not self._in_multiline:
            prose = _PROSE.match(line) and len(line.split()) >= _PROSE_WORDS
            return 0.8 if _MARKUP.match(line) else 0.6 if prose else 0.0
        return 0.0


def _may_hold_markup(line: str) -> bool:
    """Return True if a line may contain markup.

    Most lines contain none. This check is cheap and saves the patterns of `inline_signs` for them.
    """
    return (
        "#" in line
        or "*" in line
        or "](" in line
        or line.startswith(("-", "+"))
        or (". " in line and _NUMBERED.search(line) is not None)
    )


def inline_signs(line: str) -> float:
    """Return the weight of the broken markup in a line outside of code blocks."""
    if not _may_hold_markup(line) or _RULE_LINE.match(line) or (line.startswith("    ") and not _LIST_ITEM.match(line)):
        return 0.0
    text = _OPAQUE.sub("x", line)
    weight = 1.0 * len(_INNER_HEADING.findall(text))
    weight += 0.7 * len(_GLUED_HEADING.findall(text)) + 0.8 * len(_OPEN_LINK.findall(text))
    if _GLUED_ITEM.match(text):
        weight += 0.4
    items = len(_INNER_ITEM.findall(text))
    if items > 1 and _LIST_ITEM.match(text):
        weight += 0.7 * items
    loose = len(_LOOSE_STARS.findall(text))
    if loose > 1:
        weight += 0.6 * loose
    return weight
