"""Build and split server-sent events as bytes. A *block* is one event with its blank line."""

import json
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

PLACEHOLDER = "\x00"  # stands in a template for a value that differs per event
_PLACEHOLDER_TEXT = '"\\u0000"'

_BLOCK = re.compile(rb".*?(?:\r\n\r\n|\n\n|\r\r)|.+\Z", re.DOTALL)
_HAS_DATA = re.compile(rb"(?:\A|[\r\n])\xef?\xbb?\xbf?data:")


def dumps(value: object) -> str:
    """Return compact JSON with UTF-8 text, as the providers write it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def encoded(value: object) -> bytes:
    """Return a JSON body, as the providers write it."""
    return _bytes(json.dumps(value, ensure_ascii=False))


def _bytes(text: str) -> bytes:
    """Return text as UTF-8. Lone surrogates, which UTF-8 cannot encode, become their JSON escapes."""
    return text.encode("utf-8", "backslashreplace")


@lru_cache(maxsize=4096)
def quoted(text: str) -> bytes:
    """Return text as a JSON string. Cached, since long answers repeat their words."""
    return _bytes(dumps(text))


def block(data: object, name: str | None = None) -> bytes:
    """Return one event: `data` as JSON (a string is used unchanged), with an `event:` line if it has a name."""
    text = data if isinstance(data, str) else dumps(data)
    return _bytes(f"event: {name}\ndata: {text}\n\n" if name else f"data: {text}\n\n")


def template(data: Any, name: str | None = None) -> list[bytes]:
    """Return the parts of a block around its placeholders, so that long answers are built by joining bytes."""
    return block(dumps(data), name).split(_PLACEHOLDER_TEXT.encode())


def split(body: bytes) -> Iterator[bytes]:
    """Return the blocks of a body. Joined, they are the body, byte for byte."""
    return (match.group() for match in _BLOCK.finditer(body))


def is_event(chunk: bytes) -> bool:
    """Return True if a block carries data. Comments, and blocks with only `id:` or `retry:`, carry none."""
    return _HAS_DATA.search(chunk) is not None
