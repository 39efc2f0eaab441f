"""Turn raw reads into the SDK's objects, with one call per read of the network. Both drivers use these parsers."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from sys import maxsize
from typing import Any, Protocol

from l0.fastpath.event_template import EventTemplate, EventTemplates, Sample
from l0.model.ports import Reader, WireReader
from l0.model.tolerant_reading import log_unread
from l0.wire.json_decode import parse
from l0.wire.sse import Splitter, match_event

_WORTH_FRAGMENTS = 8
"""Fragments of text after which a template has saved what it cost to make."""
END = object()
"""The value that drivers pass instead of a read when the body is over."""


class BodyParser(Protocol):
    """A parser that turns each read into the objects that the user gets."""

    @property
    def reader(self) -> Reader: ...

    resumes: bool
    """True if a broken answer can be resumed: only our own loop sees the events on the wire."""
    single_text: Callable[[Any], Any] | None
    """Return the object for a read with exactly one fragment of text; for any other read return ``None`` and change
    nothing. The attribute is ``None`` if a read can hold several events."""
    end: object
    """The value that drivers pass to `CallRuntime.on_read` when the body is over: `END`, or a value for `feed` if the
    parser has items left to return."""

    def feed(self, raw: Any) -> list[Any]:
        """Return the user's objects in this read; fewer than it holds if `Reader` finished or failed within it."""
        ...


class WireParser:
    """Our own loop, from bytes to events to objects. ``templates``: makes templates for events that repeat."""

    __slots__ = (
        "_event",
        "_next_try_at",
        "_number",
        "_read_event",
        "_splitter",
        "_template",
        "_templates",
        "_tried_at",
        "_fragments_between_tries",
        "reader",
    )
    resumes = True
    single_text: Callable[[Any], Any] | None = None
    end = END

    def __init__(self, reader: WireReader, templates: EventTemplates | None = None) -> None:
        self.reader = reader
        self._splitter = Splitter()
        self._read_event = reader.read_event
        self._templates = templates
        self._template: EventTemplate | None = None
        self._event: Any = None
        """The decoded event from which the template was made."""
        self._number: int | None = None
        """The number of the next event of the template; ``None`` if only `Reader.next_repeat` knows it."""
        self._fragments_between_tries = 1
        """Fragments of text between two tries to make a template. It doubles after each template that saved nothing."""
        self._tried_at = 0
        self._next_try_at = 1 if templates is not None else maxsize

    def feed(self, raw: bytes) -> list[Any]:
        if self._template is not None and self._splitter.idle:
            size = len(raw)
            items, at = self._feed_repeated(raw, 0, size)
            if at == size:
                return items
            return items + self._feed_events(raw[at:], repeated=False)
        return self._feed_events(raw, repeated=True)

    def _feed_repeated(self, raw: bytes, at: int, size: int) -> tuple[list[Any], int]:
        """Read the events of the template from the offset ``at`` on. Return their objects, and the offset of their end.

        ``size``: the length of ``raw``.
        """
        reader, template, number = self.reader, self._template, self._number
        assert template is not None
        if number is None:
            number = reader.next_repeat(self._event)
            if number is None:
                return [], at
            self._number = number
        items, start, end = template.read(raw, at, size, reader, number)
        if number and items:
            self._number = number + len(items)
            reader.repeated(self._event, len(items), raw[start + template.head : end - 2])
        return items, end

    def _feed_events(self, raw: bytes, *, repeated: bool) -> list[Any]:
        """Read events of any kind. ``repeated``: the first may be one of the template."""
        reader, splitter, read_event = self.reader, self._splitter, self._read_event
        items: list[Any] = []
        fast = splitter.fast_input(raw)
        if fast is not None:
            at, end = 0, len(fast)
            while at < end:
                if repeated and self._template is not None:
                    more, at = self._feed_repeated(fast, at, end)
                    items += more
                match = match_event(fast, at)
                if match is None:
                    break
                start, at, repeated = at, match.end(), True
                self._number = None
                item = read_event(match[1], match[2])
                if item is not None:
                    items.append(item)
                if reader.stopped:
                    return items
                if len(reader.text) >= self._next_try_at:
                    self._make_template(fast[start:at], match[1], match[2], item)
            if at == end:
                return items
            raw = fast[at:]
        self._number = None
        for name, data in splitter.feed_slow(raw):
            item = read_event(name, data)
            if item is not None:
                items.append(item)
            if reader.stopped:
                break
        return items

    def _make_template(self, raw: bytes, name: bytes | None, data: bytes, item: object) -> None:
        """Make a template of an event that was just read, if it is of a kind that repeats."""
        fragments = len(self.reader.text)
        self._fragments_between_tries = (
            1 if fragments - self._tried_at >= _WORTH_FRAGMENTS else 2 * self._fragments_between_tries
        )
        self._tried_at, self._next_try_at = fragments, fragments + self._fragments_between_tries
        assert self._templates is not None
        try:
            event = parse(data)
            fields = partial(self.reader.varying_fields, name)
            made = self._templates.template(Sample(raw, data, event, item), fields, fragments)
        except Exception:  # an event of an unexpected shape is read one by one
            log_unread("an event that may repeat")
            return
        if made is not None:
            self._template, self._event, self._number = made, event, None


class ResumedWireParser:
    """The parser of an attempt that resumes a broken answer. It drops what the user already has."""

    __slots__ = ("_split", "reader")
    resumes = True
    single_text: Callable[[Any], Any] | None = None
    end = END

    def __init__(self, reader: WireReader) -> None:
        self.reader = reader
        self._split = Splitter().feed

    def feed(self, raw: bytes) -> list[Any]:
        items: list[Any] = []
        for name, data in self._split(raw):
            items += self.reader.read_resumed(name, data)
            if self.reader.stopped:
                break
        return items


class DecodedEventParser:
    """Our own loop over the SDK's decoder, for a client with a special decoder (AWS event streams)."""

    __slots__ = ("_resumed", "reader")
    resumes = True
    single_text: Callable[[Any], Any] | None = None
    end = END

    def __init__(self, reader: WireReader, *, resumed: bool) -> None:
        self.reader = reader
        self._resumed = resumed

    def feed(self, raw: Any) -> list[Any]:
        name, data = raw.event.encode() if raw.event else None, raw.data.encode()
        if self._resumed:
            return self.reader.read_resumed(name, data)
        item = self.reader.read_event(name, data)
        return [] if item is None else [item]


class ObjectParser:
    """A parser that keeps the SDK's own loop: the SDK builds the objects, and the reader only observes them."""

    __slots__ = ("reader",)
    resumes = False
    single_text: Callable[[Any], Any] | None = None
    end = END

    def __init__(self, reader: WireReader) -> None:
        self.reader = reader

    def feed(self, raw: Any) -> list[Any]:
        self.reader.observe_object(raw)
        return [raw]
