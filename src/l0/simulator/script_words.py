"""Split the text grammar into parts and words. JSON needs no quotes: `body={"error": "a; b"}` is one word."""

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
    position = 0
    for piece in _pieces(text):
        if text.startswith(mark, position) and len(piece.text) == 1:
            return position
        position += len(piece.text)
    return -1


def split_at(text: str, mark: str) -> list[str]:
    """Split a text at each character ``mark`` outside quotes and JSON."""
    parts, start, position = [], 0, 0
    for piece in _pieces(text):
        if piece.text == mark:
            parts.append(text[start:position])
            start = position + 1
        position += len(piece.text)
    return [*parts, text[start:]]


def words_of(part: str) -> list[str]:
    """Return the words of a part, without their quotes. Raises `ValueError` for an unclosed quote, and for text that
    looks like JSON, is not valid JSON, and has quotes, because these would be removed."""
    escaped: list[str] = []
    json_start = None  # where the current word begins like JSON
    position = 0
    for piece in _pieces(part):
        if piece.text.isspace():
            json_start = None
        elif json_start is None and piece.text in "{[" and _VALUE.match(part, position):
            json_start = position
        elif json_start is not None and not piece.is_json and ("'" in piece.text or '"' in piece.text):
            raise ValueError(f"{part[json_start:].strip()} given, allowed is JSON, or any text in quotes")
        position += len(piece.text)
        escaped.append(shlex.quote(piece.text) if piece.is_json else piece.text)
    return shlex.split("".join(escaped))


def _pieces(text: str) -> Iterator[_Piece]:
    """Yield the pieces of a text. JSON with an error is plain text up to the error. The values inside it are not tried:
    each would fail at the same place, and `[ [ [` would take quadratic time."""
    position = tried_to = 0
    while position < len(text):
        is_json = False
        if position >= tried_to and _VALUE.match(text, position):
            tried_to, is_json = _read_value(text, position)
        quoted = None if is_json else _QUOTED.match(text, position)
        end = tried_to if is_json else quoted.end() if quoted else position + 1
        yield _Piece(text[position:end], is_json)
        position = end


def _read_value(text: str, start: int) -> tuple[int, bool]:
    """Read what begins like JSON at ``start``. Return the end of the JSON or the place of the error, and True if a word
    ends after valid JSON."""
    try:
        _, end = _read_json(text, start)
    except json.JSONDecodeError as error:
        return error.pos, False
    except (ValueError, RecursionError):  # a number with too many digits, or a value that is nested too deeply
        return len(text), False
    return end, _WORD_END.match(text, end) is not None
