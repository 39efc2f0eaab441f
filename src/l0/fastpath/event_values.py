"""Find the values of an event that vary: from event to event in one answer, or from answer to answer."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from l0.wire.json_decode import parse

STRING = rb'(?:[^"\\\x00-\x1f]++|\\[^\x00-\x1f])%b'
"""The characters of a JSON string. ``%b``: the quantifier for them."""
NUMBER = rb"0|[1-9][0-9]{0,14}"
"""An unsigned integer of at most 15 digits."""
END = rb" *+}\n\n"
"""The end of an event. Anthropic puts a random number of spaces before the last brace of its JSON, as padding."""
_PER_ANSWER = ("id", "created", "model", "system_fingerprint", "item_id")
"""Keys whose values are the same in all events of one answer, or of one part of it."""
_NUMBER_GROUP = 3
"""The group of `_search` that matches a number."""

Fields = Mapping[str, str | int]
"""The values of an event that vary within its answer, by key: first its text, then padding or a number that grows by
one per event. Each key occurs once in the event."""


@dataclass(frozen=True, slots=True)
class Place:
    """The place of a value in the bytes of an event: the characters between the quotes of a string, or the digits of an
    unsigned integer (``number``)."""

    key: str
    start: int
    end: int
    number: bool


def places(raw: bytes, head: int, fields: Fields) -> list[Place] | None:
    """Return the places of these fields and of the values in `_PER_ANSWER`, in the order of the JSON, which starts at
    ``head``.

    A value in `_PER_ANSWER` that is neither a string nor an unsigned integer, or whose key occurs twice, is left out.
    Return ``None`` if a field does not occur exactly once.
    """
    found: dict[str, Place] = {}
    twice: set[str] = set()
    for match in _search(tuple(fields)).finditer(raw, head):
        key, group = match[1].decode(), match.lastindex or 0
        if key in found:
            twice.add(key)
        found[key] = Place(key, *match.span(group), group == _NUMBER_GROUP)
    for key, value in fields.items():
        if key in twice or key not in found or found[key].number is not (type(value) is int):
            return None
    return [place for key, place in found.items() if key not in twice]


@lru_cache(maxsize=32)
def _search(keys: tuple[str, ...]) -> re.Pattern[bytes]:
    """Return the pattern of a key and its value, for these keys and `_PER_ANSWER`."""
    alternatives = b"|".join(re.escape(key.encode()) for key in (*_PER_ANSWER, *keys))
    return re.compile(rb'"(%b)"\s*+:\s*+(?:"(%b)"|(%b)(?=[\s,}]))' % (alternatives, STRING % b"*+", NUMBER))


def with_values(raw: bytes, places: Sequence[Place], values: Fields) -> bytes:
    """Return the bytes of an event with other values, in which nothing needs an escape."""
    found, at = b"", 0
    for place in places:
        if place.key in values:
            found += raw[at : place.start] + str(values[place.key]).encode()
            at = place.end
    return found + raw[at:]


def decoded(value: bytes, *, number: bool) -> str | int:
    """Return the value of the bytes at a place. Raises ValueError if a text is not valid JSON."""
    return int(value) if number else text_of(value)


def text_of(value: bytes) -> str:
    """Return the text of a string, without its quotes. Raises ValueError if it is not valid JSON."""
    return parse(b'"%b"' % value)  # type: ignore[no-any-return]
