"""Read events that differ from an earlier one only in a few values: from bytes to objects in one pass.

Most events of an answer differ only in their text, in random padding and in a number that grows by one. A template is
made from one such event. It consists of the bytes between these values, and of generated code that builds a copy of the
object. It reads events whose other bytes are equal, and stops at the first event that differs. This saves splitting,
parsing, interpreting, and the choice of constructors.

The events of another answer differ in a few more values, such as the id of the answer. All other bytes are the shape of
an event. A shape is proven once, before its first use, with an event in which random values replace all that vary:

* Decoded, this event must differ from the original in these values only, so each one is a complete string or number.
* Its object must contain each value once. The SDK must not help to build it, so that it does not depend on the values.
* A copy with the original values must be the same as the object that is built from the original.

Later answers use the shape at once, after one comparison with an object of their own events.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from random import getrandbits
from typing import Any

from l0.wire.json_decode import parse

from .comparison import difference
from .constructors import Constructors
from .constructors.annotations import Unsupported
from .constructors.object_copy import ObjectCopy
from .event_shape import EventShape
from .event_values import Fields, decoded, places, with_values
from .template_reader import Read

_MAX_KINDS = 64
"""Kinds of events whose shapes are remembered."""
_MAX_SHAPES = 8
"""Shapes of one kind of event, such as those of different content blocks."""
_MAX_BYTES = 4096
"""An event with more bytes of JSON has no template. With the two numbers above, this limits the memory."""
_FIRST_FRAGMENTS = 3
"""The number of text fragments in an answer before a new shape is proven. A proof costs as much as a template saves in
35 to 70 events. A known shape is used at once."""
_UNUSED_PROOFS = 16
"""Proofs without a later use that do not delay the next proof. Each further one makes the next wait for two more
fragments."""

FieldsOf = Callable[[Any], Fields | None]
"""Returns the values of an event that vary within an answer; ``None`` if the event is of another kind."""


@dataclass(frozen=True, slots=True)
class Sample:
    """An event that was just read. ``raw``: all its bytes. ``data``: its JSON, which ends two bytes before the end of
    ``raw``. ``event``: the decoded JSON. ``item``: the object built from it."""

    raw: bytes
    data: bytes
    event: Any
    item: object

    @property
    def head(self) -> int:
        """The number of bytes before the data."""
        return len(self.raw) - len(self.data) - 2


@dataclass(frozen=True, slots=True)
class EventTemplate:
    """The template of events. ``read``: reads them. ``head``: the number of bytes before the data of an event."""

    read: Read
    head: int


class EventTemplates:
    """Makes templates for events whose objects ``build`` builds, and remembers the shapes of these events.

    Safe to share between threads, and to use after a fork: at worst, a shape is proven twice.
    """

    def __init__(self, build: Callable[[Any], Any], constructors: Constructors) -> None:
        self._build = build
        self._constructors = constructors
        self._shapes: dict[Any, tuple[EventShape, ...]] = {}
        """By kind of event. The kind that was used last is at the end, and so is the shape of a kind."""
        self._unused = 0
        """The number of proofs minus the number of later uses of shapes, at least 0."""

    def template(self, sample: Sample, fields_of: FieldsOf, fragments: int) -> EventTemplate | None:
        """Return a template made from an event; ``None`` if there is none.

        ``fields_of``: returns the values of an event that vary. ``fragments``: the number of text fragments in the
        answer so far.
        """
        fields = fields_of(sample.event) if len(sample.data) <= _MAX_BYTES else None
        if not fields:
            return None
        try:
            read = self._reader(sample, fields, fields_of, fragments)
        except (ValueError, Unsupported):
            return None
        correct = read and _reads(read, sample, fields, lambda copy: copy == sample.item)
        return EventTemplate(read, sample.head) if read and correct else None

    def _reader(self, sample: Sample, fields: Fields, fields_of: FieldsOf, fragments: int) -> Read | None:
        """Return the function that reads the events of this answer and shape; ``None`` if the shape is not proven."""
        kind = (*fields, None, *sample.event)
        shapes = self._shapes.get(kind, ())
        for shape in reversed(shapes):
            read = shape.reader(sample.raw)
            if read is not None:
                self._unused -= self._unused > 0
                self._remember(kind, (*(each for each in shapes if each is not shape), shape))
                return read
        if fragments < _FIRST_FRAGMENTS + 2 * max(self._unused - _UNUSED_PROOFS, 0):
            return None
        self._unused += 1
        shape = self._proven(sample, fields, fields_of)
        self._remember(kind, (*shapes, shape)[-_MAX_SHAPES:])
        return shape.reader(sample.raw)

    def _remember(self, kind: Any, shapes: tuple[EventShape, ...]) -> None:
        self._shapes.pop(kind, None)
        self._shapes[kind] = shapes
        if len(self._shapes) > _MAX_KINDS:
            with suppress(RuntimeError, StopIteration):  # another thread changed the dict
                self._shapes.pop(next(iter(self._shapes)), None)

    def _proven(self, sample: Sample, fields: Fields, fields_of: FieldsOf) -> EventShape:
        """Return the shape of an event. Raises ValueError or Unsupported if it cannot be proven."""
        raw, head, sdk = sample.raw, sample.head, self._constructors.sdk
        found = places(raw, head, fields)
        if found is None or sdk is None or not raw.endswith(b"}\n\n"):
            raise Unsupported("a value without a place")
        marks = {place.key: _mark(number=place.number) for place in found}
        field_marks = {key: marks[key] for key in fields}
        if fields_of(parse(with_values(raw, found, field_marks)[head:-2])) != field_marks:
            raise Unsupported("a field with another meaning")
        values = {place.key: decoded(raw[place.start : place.end], number=place.number) for place in found}
        original, marked = parse(sample.data), parse(with_values(raw, found, marks)[head:-2])
        if difference(_restored(marked, marks, values), original):
            raise Unsupported("values that change others")
        item = self._built_without_sdk(marked)
        names = {marks[key]: f"h{number}" for number, key in enumerate(fields)}
        others = [place.key for place in found if place.key not in fields]
        names |= {marks[key]: f"p{number}" for number, key in enumerate(others)}
        shape = EventShape(raw, found, fields, ObjectCopy(item, names, sdk))
        read = shape.reader(raw)
        if not (read and _reads(read, sample, fields, lambda copy: not difference(copy, self._build(original)))):
            raise Unsupported("a copy that differs")
        return shape

    def _built_without_sdk(self, event: Any) -> Any:
        """Return the object of an event. Raises Unsupported if the SDK built a part of it."""
        for _ in range(3):  # several attempts, because the count includes what the SDK builds in other threads
            before = self._constructors.left_to_sdk
            built = self._build(event)
            if self._constructors.left_to_sdk == before:
                return built
        raise Unsupported("values that the SDK builds")


class _CountingReader:
    """A reader that does nothing but count what a template records."""

    def __init__(self) -> None:
        self.text: list[str] = []
        self.content = self.chars = self.events = 0


def _reads(read: Read, sample: Sample, fields: Fields, same: Callable[[Any], bool]) -> bool:
    """Return True if the function reads this event, and if ``same`` accepts the object."""
    number = next((value for value in fields.values() if type(value) is int), 0)
    reader = _CountingReader()
    size = len(sample.raw)
    items, _, end = read(sample.raw, 0, size, reader, number)
    return end == size and reader.text == [next(iter(fields.values()))] and same(items[0])


def _mark(*, number: bool) -> str | int:
    """Return a random value, which does not occur elsewhere: 15 digits, the limit of `NUMBER`, or a text."""
    return 9 * 10**14 + getrandbits(46) if number else f"l0 {getrandbits(96):x}"


def _restored(value: Any, marks: Fields, values: Fields) -> Any:
    """Return an event with the original values in place of the random ones."""
    if type(value) is dict:
        return {key: _restored(each, marks, values) for key, each in value.items()}
    if type(value) is list:
        return [_restored(each, marks, values) for each in value]
    if type(value) in (str, int):
        return next((values[key] for key, mark in marks.items() if type(mark) is type(value) and mark == value), value)
    return value


@lru_cache(maxsize=64)
def event_templates(build: Callable[[Any], Any], constructors: Constructors) -> EventTemplates:
    """Return the templates for events whose objects ``build`` builds. All calls share them."""
    return EventTemplates(build, constructors)
