"""Rows of styled text, cut to the width of a terminal. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

from l0.console.line import columns

Part = tuple[str, str]
"""A text and its style in rich."""
Row = list[Part]


def printable(text: str) -> str:
    """Return the text without control characters, which a terminal would obey."""
    return "".join(character if character.isprintable() else "\ufffd" for character in text)


def fitting(name: str, width: int | None) -> str:
    """Return the name in at most ``width`` columns; ``None`` is any number. A shortened name ends in "…"."""
    if width is None or columns(name) <= width:
        return name
    return _beginning(name, width - 1) + "…"


def _beginning(text: str, width: int) -> str:
    """Return the longest beginning of a text in at most ``width`` columns."""
    ends = accumulate(map(columns, text))
    return "".join(character for character, end in zip(text, ends, strict=True) if end <= width)


def cut(row: Sequence[Part], width: int | None) -> Row:
    """Return the row in at most ``width`` columns. A shortened row ends in "…", and never in a part of a number."""
    text = "".join(part for part, _ in row)
    if width is None or columns(text) <= width:
        return list(row)
    room = len(_beginning(text, width - 1).rstrip("0123456789.,"))  # "spent 15 times" does not become "spent 1"
    shortened: Row = []
    for part, style in row:
        shortened.append((part[:room], style))
        room -= len(shortened[-1][0])
    return [*shortened, ("…", "dim")]
