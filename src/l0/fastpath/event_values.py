"""Find the values of an event that differ in the other events of its answer, or in the events of other answers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from l0.wire.json_decode import parse

STRING = rb'(?:[^"\\\x00-\x1f]++|\\[^\x00-\x1f])%b'
"""The characters of a string. ``%b``: how many."""
NUMBER = rb"0|[1-9][0-9]{0,14}"
END = rb" *+}\n\n"
"""The end of an event: Anthropic pads its JSON with spaces before the last brace, a random number of them."""
_PER_ANSWER = ("id", "created", "model", "system_fingerprint", "item_id")
"""Keys whose values are the same in all events of one answer, or of one part of it."""
_NUMBER_GROUP = 3

Fields = Mapping[str, str | int]
"""The values of an event that vary within its answer, by key: first its text; also texts that nobody reads, and a
number that counts up by one. Each key occurs once in the event."""


@dataclass(frozen=True, slots=True)
class Place:
    """The place of a value in the bytes of an event: between the quotes of a string, or all of an unsigned integer."""

    key: str
    start: int
    end: int
    number: bool


def places(raw: bytes, head: int, fields: Fields) -> list[Place] | None:
    """Return the places of these fields, and of the values of the answer, in their order in the JSON from ``head`` on.

    A value of the answer that is neither a string nor an unsigned integer, or whose key occurs twice, has no place.
    ``None`` if a field does not occur exactly once.
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
    every = b"|".join(re.escape(key.encode()) for key in (*_PER_ANSWER, *keys))
    return re.compile(rb'"(%b)"\s*+:\s*+(?:"(%b)"|(%b)(?=[\s,}]))' % (every, STRING % b"*+", NUMBER))


def with_values(raw: bytes, places: Sequence[Place], values: Fields) -> bytes:
    """Return the bytes of an event with other values, which need no escapes."""
    found, at = b"", 0
    for place in places:
        if place.key in values:
            found += raw[at : place.start] + str(values[place.key]).encode()
            at = place.end
    return found + raw[at:]


def decoded(value: bytes, *, number: bool) -> str | int:
    """Return the value of a place. Raises ValueError if a text is not valid JSON."""
    return int(value) if number else text_of(value)


def text_of(value: bytes) -> str:
    """Return the text of a string, without its quotes. Raises ValueError if it is not valid JSON."""
    return parse(b'"%b"' % value)  # type: ignore[no-any-return]
