"""Server-sent events as bytes: one *block* is one event with its blank line."""

import json
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

HOLE = "\x00"  # stands in a template for a value that is filled in per event
_HOLE_TEXT = '"\\u0000"'

_BLOCK = re.compile(rb".*?(?:\r\n\r\n|\n\n|\r\r)|.+\Z", re.DOTALL)
_HAS_DATA = re.compile(rb"(?:\A|[\r\n])\xef?\xbb?\xbf?data:")


def dumps(value: object) -> str:
    """Compact JSON with text as UTF-8, as the providers write it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def encoded(value: object) -> bytes:
    """A JSON body, as the providers write it."""
    return _bytes(json.dumps(value, ensure_ascii=False))


def _bytes(text: str) -> bytes:
    """Text as UTF-8; half a surrogate pair, which has none, as the escape that it is in JSON."""
    return text.encode("utf-8", "backslashreplace")


@lru_cache(maxsize=4096)
def quoted(text: str) -> bytes:
    """Text as a JSON string; cached, since long answers repeat their words."""
    return _bytes(dumps(text))


def block(data: object, name: str | None = None) -> bytes:
    """One event: `data` as JSON (text is taken as it stands), with an `event:` line where it has a name."""
    text = data if isinstance(data, str) else dumps(data)
    return _bytes(f"event: {name}\ndata: {text}\n\n" if name else f"data: {text}\n\n")


def template(data: Any, name: str | None = None) -> list[bytes]:
    """The parts of a block around its holes, so that a long answer is built by joining bytes."""
    return block(dumps(data), name).split(_HOLE_TEXT.encode())


def split(body: bytes) -> Iterator[bytes]:
    """The blocks of a body; joined they are the body, byte for byte."""
    return (match.group() for match in _BLOCK.finditer(body))


def is_event(chunk: bytes) -> bool:
    """Whether a block carries data (comments, `id:` and `retry:` alone do not)."""
    return _HAS_DATA.search(chunk) is not None
