"""Turn raw reads into the SDK's objects, with one call per read of the network. Both drivers use these parsers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from l0.model.ports import Reader, WireReader
from l0.wire.sse import Splitter

END = object()
"""The value that drivers pass instead of a read when the body is over."""


class BodyParser(Protocol):
    """A parser that turns each read into the objects that the user gets."""

    @property
    def reader(self) -> Reader: ...

    resumes: bool
    """True if a broken answer can be resumed: only our own loop sees the events on the wire."""
    single_text: Callable[[Any], Any] | None
    """As `feed`, for a read with exactly one fragment of text. For any other read it returns ``None``, and changes
    nothing. ``None`` if a read can hold several events."""
    end: object
    """The value that drivers pass to `CallRuntime.on_read` when the body is over: `END`, or a value for `feed` if the
    parser has items left to return."""

    def feed(self, raw: Any) -> list[Any]:
        """Return the user's objects in this read; fewer than it holds if `Reader` finished or failed within it."""
        ...


class WireParser:
    """Our own loop, from bytes to events to objects."""

    __slots__ = ("_split", "_read_event", "reader")
    resumes = True
    single_text: Callable[[Any], Any] | None = None
    end = END

    def __init__(self, reader: WireReader) -> None:
        self.reader = reader
        self._split = Splitter().feed
        self._read_event = reader.read_event

    def feed(self, raw: bytes) -> list[Any]:
        reader = self.reader
        items: list[Any] = []
        append: Callable[[Any], None] = items.append
        read_event = self._read_event
        for name, data in self._split(raw):
            item = read_event(name, data)
            if item is not None:
                append(item)
            if reader.stopped:
                break
        return items


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
