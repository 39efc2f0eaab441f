"""Read JSON objects outside of server-sent events.

Google sends errors in that form, over several lines. google-genai reads any such object once its braces balance.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from l0.runtime.body_parser import BodyParser

_LINE_ENDS = (b"\n", b"\r")
_START = re.compile(rb"[\r\n](?=\{)")
_TOKEN = re.compile(rb'[{}"\\]')


class UnframedJsonParser:
    """Wraps a parser of events: each JSON object outside of them becomes an event. All other lines pass unchanged."""

    def __init__(self, events: BodyParser) -> None:
        self._events = events
        self._object: _JsonObject | None = None
        """The object that is not complete yet."""
        self._at_line_start = True
        self.reader = events.reader
        self.resumes = events.resumes
        self.single_text: Callable[[Any], Any] | None = None
        self.end = events.end

    def feed(self, raw: bytes) -> list[Any]:
        """As `BodyParser.feed`."""
        if self._object is None and not self._starts_object(raw):
            return self._feed_lines(raw)
        items: list[Any] = []
        at = 0
        while at < len(raw) and not self.reader.stopped:
            if self._object is None:
                start = self._start(raw, at)
                items += self._feed_lines(raw[at:start])
                self._object = _JsonObject() if start < len(raw) else None
                at = start
                continue
            at = self._object.feed(raw, at)
            if self._object.complete:
                items += self._events.feed(self._object.as_event())
                self._object, self._at_line_start = None, False
        return items

    def _feed_lines(self, raw: bytes) -> list[Any]:
        if not raw:
            return []
        self._at_line_start = raw.endswith(_LINE_ENDS)
        return self._events.feed(raw)

    def _starts_object(self, raw: bytes) -> bool:
        return (self._at_line_start and raw[:1] == b"{") or b"\n{" in raw or b"\r{" in raw

    def _start(self, raw: bytes, at: int) -> int:
        """Return the position of the next object that starts a line; the length of ``raw`` if there is none."""
        if self._at_line_start and raw[at : at + 1] == b"{":
            return at
        found = _START.search(raw, at)
        return len(raw) if found is None else found.end()


class _JsonObject:
    """The part of a JSON object that has arrived. Scans each byte once."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._depth = 0
        self._in_string = False
        self._escaped = False
        self.complete = False

    def feed(self, raw: bytes, at: int) -> int:
        """Take the bytes from ``at`` on that belong to the object. Return the position after them."""
        start = at
        if self._escaped:
            self._escaped = False
            at += 1
        while (token := _TOKEN.search(raw, at)) is not None:
            at = token.end()
            if token[0] == b'"':
                self._in_string = not self._in_string
            elif token[0] == b"\\":
                self._escaped = at == len(raw)
                at += 1
            elif not self._in_string:
                self._depth += 1 if token[0] == b"{" else -1
                if self._depth == 0:
                    self.complete = True
                    break
        else:
            at = len(raw)
        self._parts.append(raw[start:at])
        return at

    def as_event(self) -> bytes:
        """Return the object as a server-sent event. The line end before it completes an event that has none yet."""
        value = b"".join(self._parts).replace(b"\r", b" ").replace(b"\n", b" ")
        return b"\ndata: " + value + b"\n\n"
