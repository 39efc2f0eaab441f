"""Split the text grammar into parts and words. JSON stands as it is, like text in quotes: `body={"error": "a; b"}`."""

import json
import re
import shlex
from collections.abc import Iterator
from typing import NamedTuple

_QUOTED = re.compile(r"""'[^']*'|"(?:\\.|[^"\\])*"|\\.""", re.DOTALL)
_VALUE = re.compile(r"(?<![^\s=|;])[{\[]")
"""The first character of JSON, which begins a word or the value of an option."""
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
    parts, start, at = [], 0, 0
    for piece in _pieces(text):
        if piece.text == mark:
            parts.append(text[start:at])
            start = at + 1
        at += len(piece.text)
    return [*parts, text[start:]]


def words_of(part: str) -> list[str]:
    """Return the words of a part, without their quotes. Raises `ValueError` for a quote without its end, and for text
    that begins like JSON, has quotes to lose, and is none."""
    shown: list[str] = []
    like_json = None  # where the current word begins like JSON
    at = 0
    for piece in _pieces(part):
        if piece.text.isspace():
            like_json = None
        elif like_json is None and piece.text in "{[" and _VALUE.match(part, at):
            like_json = at
        elif like_json is not None and not piece.is_json and ("'" in piece.text or '"' in piece.text):
            raise ValueError(f"{part[like_json:].strip()} given, allowed is JSON, or any text in quotes")
        at += len(piece.text)
        shown.append(shlex.quote(piece.text) if piece.is_json else piece.text)
    return shlex.split("".join(shown))


def _pieces(text: str) -> Iterator[_Piece]:
    """Yield the pieces of a text. JSON that breaks off is plain text up to that place, and is not read again: each of
    the values in it would break off there as well, and `[ [ [` would take quadratic time."""
    at = read = 0
    while at < len(text):
        is_json = False
        if at >= read and _VALUE.match(text, at):
            read, is_json = _read_value(text, at)
        quoted = None if is_json else _QUOTED.match(text, at)
        end = read if is_json else quoted.end() if quoted else at + 1
        yield _Piece(text[at:end], is_json)
        at = end


def _read_value(text: str, at: int) -> tuple[int, bool]:
    """Return the end of what begins like JSON at ``at``, and whether it is a JSON value and a word ends there."""
    try:
        _, end = _read_json(text, at)
    except json.JSONDecodeError as error:
        return error.pos, False
    except (ValueError, RecursionError):  # a number of too many digits, a value that is nested too deeply
        return len(text), False
    return end, _WORD_END.match(text, end) is not None
