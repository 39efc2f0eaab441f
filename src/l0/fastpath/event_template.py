"""Events that equal an earlier one but for a few values: from bytes to objects in one pass.

Most events of an answer differ only in their text, in random padding and in a number that counts up. A template is made
of one such event: the bytes between these values, and generated code that builds a copy of the object. It reads events
whose other bytes are the same, byte for byte, and stops at the first that differs. This saves splitting, parsing,
interpreting, and the choice of constructors.

A template is proven before it is used. Random values in place of those that vary must change these values of the event
and nothing else, so each stands alone in a string, or as a number, of its own. The object of that event must have them
in one place each, and must be built without the SDK's help, so that it does not depend on what they are. A copy with
the original values must be the same as the object that is built as usual.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from random import getrandbits
from typing import Any, Protocol

from l0.wire.json_decode import parse

from .comparison import difference
from .constructors import Constructors
from .constructors.annotations import Unsupported
from .constructors.object_copy import ObjectCopy, compiled

_STRING = rb'(?:[^"\\\x00-\x1f]++|\\[^\x00-\x1f])%b'
_NUMBER = rb"0|[1-9][0-9]{0,14}"
_MAX_SOURCES = 128


class TextReader(Protocol):
    """The counters of a reader that a template advances."""

    text: list[str]
    content: int
    chars: int
    events: int


Read = Callable[[bytes, int, TextReader, int], tuple[list[Any], int, int]]
"""``read(raw, at, reader, number)`` reads events from ``at`` on. It returns their objects, and where the last one
starts and ends. ``number``: the number of the next event, if events are numbered."""
Fields = Mapping[str, str | int]
"""The values of an event that vary, by key: first its text; also texts that nobody reads, and a number that counts up
by one. Each key occurs once in the event."""


@dataclass(frozen=True, slots=True)
class EventTemplate:
    """``head``: number of bytes before the data of an event."""

    read: Read
    head: int


class EventTemplates:
    """Makes templates for events whose objects ``build`` builds."""

    def __init__(self, build: Callable[[Any], Any], constructors: Constructors) -> None:
        self._build = build
        self._constructors = constructors

    def template(
        self, raw: bytes, data: bytes, event: Any, fields: Callable[[Any], Fields | None]
    ) -> EventTemplate | None:
        """Return a template of an event; ``None`` if there is none.

        ``raw``: all its bytes, which end in ``data``, its JSON. ``event``: that, decoded. ``fields`` returns the values
        of an event that vary; ``None`` if the event is of another kind.
        """
        values = fields(event)
        try:
            spots = _spots(data, values) if values else None
            if spots is None or values is None:
                return None
            marks: dict[str, str | int] = {key: _mark(value) for key, value in values.items()}
            marked = parse(_with(data, spots, marks))
            if fields(marked) != marks or difference(_restored(marked, marks, values), event):
                return None
            return self._made(raw, data, spots, marks, values, marked)
        except (ValueError, Unsupported):
            return None

    def _made(
        self,
        raw: bytes,
        data: bytes,
        spots: list[_Spot],
        marks: Mapping[str, str | int],
        values: Fields,
        marked: Any,
    ) -> EventTemplate | None:
        sdk, before = self._constructors.sdk, self._constructors.left_to_sdk
        sample = self._build(marked)
        if sdk is None or self._constructors.left_to_sdk != before:
            return None
        copy = ObjectCopy(sample, {mark: f"h{number}" for number, mark in enumerate(marks.values())}, sdk)
        head = len(raw) - len(data) - 2
        edges = [0, *(edge for spot in spots for edge in (spot.start, spot.end)), len(data)]
        parts = [data[edges[at] : edges[at + 1]] for at in range(0, len(edges), 2)]
        first, following = raw[:head] + parts[0], [*parts[1:-1], parts[-1] + raw[-2:]]
        names = list(values)
        read = _reader(copy, first, following, [(names.index(spot.key), spot) for spot in spots])
        number = next((value for value in values.values() if type(value) is int), 0)
        probe = _Probe()
        items, _, end = read(raw, 0, probe, number)
        text = next(iter(values.values()))
        same = end == len(raw) and probe.text == [text] and not difference(items[0], self._build(parse(data)))
        return EventTemplate(read, head) if same else None


class _Probe:
    """A reader that only counts."""

    def __init__(self) -> None:
        self.text: list[str] = []
        self.content = self.chars = self.events = 0


@dataclass(frozen=True, slots=True)
class _Spot:
    """The place of a value in the data of an event."""

    key: str
    start: int
    end: int
    number: bool


def _spots(data: bytes, values: Fields) -> list[_Spot] | None:
    """Return the places of the values, in their order in the data; ``None`` if a key does not occur exactly once."""
    spots = []
    for key, value in values.items():
        number = type(value) is int
        found = list(_place_of(key, number).finditer(data))
        if len(found) != 1:
            return None
        spots.append(_Spot(key, *found[0].span(1), number))
    return sorted(spots, key=lambda spot: spot.start)


@lru_cache(maxsize=32)
def _place_of(key: str, number: bool) -> re.Pattern[bytes]:
    value = rb"(%b)(?=[\s,}])" % _NUMBER if number else rb'"(%b)"' % (_STRING % b"*+")
    return re.compile(rb'"%b"\s*+:\s*+%b' % (re.escape(key.encode()), value))


def _mark(value: str | int) -> str | int:
    """Return a random value of the same kind."""
    return 9 * 10**14 + getrandbits(46) if type(value) is int else f"l0 {getrandbits(96):x}"


def _with(data: bytes, spots: list[_Spot], values: Fields) -> bytes:
    """Return the data with other values, which need no escapes."""
    found, at = b"", 0
    for spot in spots:
        found += data[at : spot.start] + str(values[spot.key]).encode()
        at = spot.end
    return found + data[at:]


def _restored(value: Any, marks: Fields, values: Fields) -> Any:
    """Return an event with its original values in place of random ones."""
    if type(value) is dict:
        return {key: _restored(each, marks, values) for key, each in value.items()}
    if type(value) is list:
        return [_restored(each, marks, values) for each in value]
    if type(value) in (str, int):
        return next((values[key] for key, mark in marks.items() if type(mark) is type(value) and mark == value), value)
    return value


def _reader(copy: ObjectCopy, first: bytes, following: list[bytes], spots: list[tuple[int, _Spot]]) -> Read:
    """Return the generated function. ``spots``: each with the number of its variable; number 0 is the text."""
    groups: list[str] = []
    body: list[str] = []
    for number, spot in spots:
        groups += [f"h{number}", f"c{number}"]
        if spot.number:
            body += [f"h{number} = int(h{number})", f"if h{number} != number: break", "number += 1"]
        else:
            body.append(f"h{number} = h{number}.decode() if 92 not in h{number} else text(h{number})")
    pattern = _pattern(
        *((number == 0, spot.number, len(part)) for (number, spot), part in zip(spots, following, strict=True))
    )
    same = " and ".join(f"c{number} == {copy.bind(part)}" for (number, _), part in zip(spots, following, strict=True))
    first_name, skip, match = copy.bind(first), copy.bind(len(first)), copy.bind(pattern)
    inner = [
        f"found = {match}(raw, at + {skip})",
        "if found is None: break",
        f"{', '.join(groups)}, = found.groups()",
        f"if not ({same}): break",
        *body,
        *copy.statements,
        f"items.append({copy.expression})",
        "texts.append(h0)",
        "chars += len(h0)",
        "start, at = at, found.end()",
    ]
    source = _SOURCE.format(
        names=", ".join(f"k{number}" for number in range(len(copy.constants))),
        first=first_name,
        inner="\n                ".join(inner),
    )
    return _factory(source)(_text, *copy.constants)  # type: ignore[no-any-return]


_SOURCE = """
def factory(text, {names}):
    def read(raw, at, reader, number):
        items, texts, chars, start = [], reader.text, 0, at
        try:
            while raw.startswith({first}, at):
                {inner}
        except ValueError:
            pass
        if items:
            reader.content += len(items)
            reader.events += len(items)
            reader.chars += chars
        return items, start, at
    return read
"""


@lru_cache(maxsize=_MAX_SOURCES)
def _factory(source: str) -> Callable[..., Any]:
    return compiled(source, "factory")


@lru_cache(maxsize=_MAX_SOURCES)
def _pattern(*spots: tuple[bool, bool, int]) -> Callable[[bytes, int], re.Match[bytes] | None]:
    """Return the function that matches the values, and the bytes after each, which are compared afterwards.

    ``spots``: whether it is the text, which is never empty, or a number, and the number of the bytes that follow.
    """
    values = ((_NUMBER if number else _STRING % (b"++" if text else b"*+"), length) for text, number, length in spots)
    return re.compile(b"".join(b"(%b)(.{%d})" % value for value in values), re.DOTALL).match


def _text(value: bytes) -> str:
    """Return a text with escapes. Raises ValueError if it is none."""
    return parse(b'"%b"' % value)  # type: ignore[no-any-return]
