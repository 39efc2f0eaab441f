"""Split the text grammar into parts and words. JSON stands as it is, like text in quotes: `body={"error": "a; b"}`."""

import json
import re
import shlex
from collections.abc import Iterator
from typing import NamedTuple

_QUOTED = re.compile(r"""'[^']*'|"(?:\\.|[^"\\])*"|\\.""", re.DOTALL)
_VALUE = re.compile(r"(?<![^\s=|;])[{\[]")
"""The first character of JSON, which begins a word or the value of an option."""
_WITH_QUOTES = re.compile(r"""\S*['"]""")
_WORD_END = re.compile(r"\s|[|;]|]]|$")
_read_json = json.JSONDecoder().raw_decode


class _Piece(NamedTuple):
    """A text in quotes, a JSON value, or one other character."""

    text: str
    is_json: bool = False


def find_mark(text: str, mark: str) -> int:
    """Return the index of the first ``mark`` outside quotes and JSON; -1 if there is none."""
    at = 0
    for piece in _pieces(text):
        if text.startswith(mark, at) and len(piece.text) == 1:
            return at
        at += len(piece.text)
    return -1


def split_at(text: str, mark: str) -> list[str]:
    """Split a text at each character ``mark`` outside quotes and JSON."""
    parts = [""]
    for piece in _pieces(text):
        if piece.text == mark:
            parts.append("")
        else:
            parts[-1] += piece.text
    return parts


def words_of(part: str) -> list[str]:
    """Return the words of a part, without their quotes. Raises `ValueError` for a quote without its end, and for text
    that begins like JSON, has quotes to lose, and is none."""
    at, shown = 0, ""
    for piece in _pieces(part):
        if piece.text in "{[" and _VALUE.match(part, at) and _WITH_QUOTES.match(part, at):
            raise ValueError(f"{part[at:].strip()} given, allowed is JSON, or any text in quotes")
        at += len(piece.text)
        shown += shlex.quote(piece.text) if piece.is_json else piece.text
    return shlex.split(shown)


def _pieces(text: str) -> Iterator[_Piece]:
    at = 0
    while at < len(text):
        end = _json_end(text, at)
        quoted = None if end is not None else _QUOTED.match(text, at)
        piece = text[at : end or (quoted.end() if quoted else at + 1)]
        yield _Piece(piece, end is not None)
        at += len(piece)


def _json_end(text: str, at: int) -> int | None:
    """Return the end of the JSON value that begins at ``at``; ``None`` if none does, or if more of the word follows."""
    if not _VALUE.match(text, at):
        return None
    try:
        _, end = _read_json(text, at)
    except (ValueError, RecursionError):
        return None
    return end if _WORD_END.match(text, end) else None
