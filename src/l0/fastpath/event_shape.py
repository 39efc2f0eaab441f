"""The shape of events: what events of one kind have in common in all answers, which is the bytes between their
values."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from .constructors.object_copy import ObjectCopy
from .event_values import END, NUMBER, STRING, Fields, Place, decoded
from .template_reader import Read, reader_factory, value_pattern


class EventShape:
    """The shape of an event, and the code that reads events of this shape.

    ``raw``: all bytes of the event. ``places``: the places of its values in them. ``fields``: the values that vary
    within an answer. ``copy``: copies the object of the event, with the variables ``h0``, ... for the fields and
    ``p0``, ... for the other values.
    """

    __slots__ = ("_answer", "_end", "_factory", "_fields", "_lengths", "_match", "_values")

    def __init__(self, raw: bytes, places: Sequence[Place], fields: Fields, copy: ObjectCopy) -> None:
        keys, groups = list(fields), list(enumerate(places, 1))
        self._fields = [group for group, place in groups if place.key in fields]
        self._answer = [(group, place.number) for group, place in groups if place.key not in fields]
        self._end = len(places) + 1
        self._match = _pattern(raw, places).fullmatch
        # `raw` ends with "}" and two line ends, with spaces as padding before them (`END`).
        field_places = [place for place in places if place.key in fields]
        starts = [*(place.start for place in field_places), len(raw[:-3].rstrip(b" "))]
        self._lengths = [start - place.end for place, start in zip(field_places, starts[1:], strict=True)]
        order = [(keys.index(place.key), place.number) for place in field_places]
        self._factory = reader_factory(copy, order, len(self._answer))
        lengths = zip(order, self._lengths, strict=True)
        self._values = value_pattern(*((field == 0, number, length) for (field, number), length in lengths))

    def reader(self, raw: bytes) -> Read | None:
        """Return the function that reads such events of the answer that contains this event; ``None`` if the event has
        another shape. Raises ValueError if a text of the event is not valid JSON."""
        found = self._match(raw)
        if found is None:
            return None
        spans = [found.span(group) for group in self._fields]
        following = [raw[end:start] for (_, end), (start, _) in pairwise([*spans, found.span(self._end)])]
        if [len(part) for part in following] != self._lengths:
            return None
        answer = [decoded(found[group], number=number) for group, number in self._answer]
        return self._factory(raw[: spans[0][0]], following, self._values, answer)


def _pattern(raw: bytes, places: Sequence[Place]) -> re.Pattern[bytes]:
    """Return the pattern of events that differ in these places only. Each value is a group; the last group is the end
    of the event."""
    found, at = b"", 0
    for place in places:
        found += re.escape(raw[at : place.start]) + b"(%b)" % (NUMBER if place.number else STRING % b"*+")
        at = place.end
    return re.compile(found + re.escape(raw[at:-3].rstrip(b" ")) + b"(%b)" % END)
