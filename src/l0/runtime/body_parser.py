"""Raw reads in, the SDK's objects out: one call for each read of the network, shared by both drivers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from l0.model.ports import Reader, WireReader
from l0.wire.sse import Splitter


class BodyParser(Protocol):
    """Turns what one read brought into what the user gets for it."""

    @property
    def reader(self) -> Reader: ...

    resumes: bool
    """Whether an answer that breaks here can be taken up: only where our own loop sees the wire's events."""
    one: Callable[[Any], Any] | None
    """As `feed`, for a read that brings one piece of text and nothing else; it gives ``None`` for any other, and has
    then done nothing. ``None`` where reads bring many."""

    def feed(self, raw: Any) -> list[Any]:
        """The user's objects in this read; fewer than the read holds where `Reader` finished or failed in it."""
        ...


class WireParser:
    """Our own loop: bytes to events to objects."""

    __slots__ = ("_split", "_read_event", "reader")
    resumes = True
    one: Callable[[Any], Any] | None = None

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
    """A new attempt that takes up a broken answer: what the user has of it is swallowed."""

    __slots__ = ("_split", "reader")
    resumes = True
    one: Callable[[Any], Any] | None = None

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
    """Our loop over the SDK's own decoder, where a client brings a special one (AWS event streams)."""

    __slots__ = ("_taken_up", "reader")
    resumes = True
    one: Callable[[Any], Any] | None = None

    def __init__(self, reader: WireReader, *, taken_up: bool) -> None:
        self.reader = reader
        self._taken_up = taken_up

    def feed(self, raw: Any) -> list[Any]:
        name, data = raw.event.encode() if raw.event else None, raw.data.encode()
        if self._taken_up:
            return self.reader.read_resumed(name, data)
        item = self.reader.read_event(name, data)
        return [] if item is None else [item]


class ObjectParser:
    """The SDK's loop left in place: it builds the objects, and the reader only looks at them."""

    __slots__ = ("reader",)
    resumes = False
    one: Callable[[Any], Any] | None = None

    def __init__(self, reader: WireReader) -> None:
        self.reader = reader

    def feed(self, raw: Any) -> list[Any]:
        self.reader.observe_object(raw)
        return [raw]
