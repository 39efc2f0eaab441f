"""Split a byte stream into server-sent events, with one call per network read.

The common case (LF line ends, an optional ``event`` line, one ``data`` line) takes one regular-expression match per
event, which runs in C. Slower code parses all other input that the specification allows: CR, CRLF, several data lines,
comments, ``id``, ``retry``, a byte order mark, events and characters split anywhere by the network. The result does not
depend on the boundaries of reads.
Source: https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
"""

from __future__ import annotations

import re

Event = tuple[bytes | None, bytes]
"""The name of the event and its data. The name is ``None`` if the event has none; then it has a data line, which may be
empty."""

_BOM = b"\xef\xbb\xbf"
# Possessive quantifiers: a match on a long, incomplete event fails in one pass, without backtracking.
match_event = re.compile(rb"(?:event: ?+(.++)\n)?data: ?+(.*+)\n\n").match
_bare_error = re.compile(rb'\s*+\{\s*+"error"\s*+:').match
"""Finds JSON that a proxy put between the events, without a field."""


class Splitter:
    """Splits bytes into complete events, in time linear in the length of the input, whatever the size of reads."""

    __slots__ = ("_at_start", "_buffer", "_scanned", "_skip_lf", "idle")

    def __init__(self) -> None:
        self.idle = False
        """True if the next read starts with an event, and nothing before it changes its meaning."""
        self._buffer = bytearray()
        """The beginning of an event that is not complete."""
        self._scanned = 0
        """The number of bytes of the buffer that were searched for a blank line."""
        self._at_start = True
        """No byte after a possible byte order mark was read."""
        self._skip_lf = False
        """The last read ended with a CR: an LF at the start of the next one belongs to the same line end."""

    def feed(self, raw: bytes) -> list[Event]:
        """Return all events that end in this read, in order."""
        events: list[Event] = []
        fast = self.fast_input(raw)
        if fast is None:
            return self.feed_slow(raw)
        at, end = 0, len(fast)
        while (match := match_event(fast, at)) is not None:
            events.append(match.groups())  # type: ignore[arg-type]  # two groups, the first optional
            at = match.end()
            if at == end:
                return events
        events += self.feed_slow(fast[at:])
        return events

    def fast_input(self, raw: bytes) -> bytes | None:
        """Return the next read ``raw``, with the buffered bytes before it, for `match_event`: they start with an event.

        The caller must pass the bytes that `match_event` rejects to `feed_slow`. ``None`` if all of ``raw`` must go
        there.
        """
        if b"\r" in raw or self._skip_lf:
            return None
        if self.idle:
            return raw
        buffer = self._buffer
        if self._at_start:  # a byte order mark may come first
            if buffer or raw[:1] in (b"", _BOM[:1]):
                return None
            self._at_start = False
        # Join only if an event ends in this read: to copy a long event at each read would take quadratic time.
        elif b"\n\n" in raw or (len(buffer) > 1 and raw[:1] == b"\n" == buffer[-1:]):
            raw = bytes(buffer) + raw
            buffer.clear()
            self._scanned = 0
        else:
            return None
        self.idle = True
        return raw

    def feed_slow(self, raw: bytes) -> list[Event]:
        """Return the same as `feed`, for input of any form."""
        if self._at_start:
            raw = self._strip_mark(raw)
        if self._skip_lf or b"\r" in raw:
            raw = self._normalise(raw)
        buffer = self._buffer
        buffer += raw
        # Search only the new bytes, and one before them for a split blank line: a long event takes linear time.
        end = buffer.rfind(b"\n\n", max(self._scanned - 1, 0))
        complete = bytes(buffer[: max(end, 0)])
        if end >= 0:
            del buffer[: end + 2]
        self._scanned = len(buffer)
        self.idle = not (buffer or self._skip_lf or self._at_start)
        return _events(complete) if complete else []

    def _strip_mark(self, raw: bytes) -> bytes:
        """Remove a byte order mark at the start of the stream. Reads may split it, so wait for its three bytes."""
        raw = bytes(self._buffer) + raw
        if len(raw) < len(_BOM) and _BOM.startswith(raw):
            self._buffer[:] = raw
            return b""
        self._buffer.clear()
        self._at_start = False
        return raw.removeprefix(_BOM)

    def _normalise(self, raw: bytes) -> bytes:
        """Convert CR and CRLF to LF. If a CRLF is split between reads, drop its LF in the second read."""
        if not raw:
            return raw
        if self._skip_lf and raw[:1] == b"\n":
            raw = raw[1:]
            if not raw:
                self._skip_lf = False
                return raw
        self._skip_lf = raw[-1:] == b"\r"
        return raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def _events(complete: bytes) -> list[Event]:
    return [event for block in complete.split(b"\n\n") if (event := _parse(block)) is not None]


def _parse(block: bytes) -> Event | None:
    """Parse one block as the specification requires. Ignore ``id`` and ``retry``, which concern reconnection only.

    Beyond the specification, an error of a server that does not keep to it becomes an event named ``error``.
    """
    name: bytes | None = None
    data: list[bytes] = []
    for line in block.split(b"\n"):
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            data.append(value)
        elif field == b"event":
            name = value or None
        elif field == b"error" and value[:1] == b"{":  # llama.cpp, which sends an error in this field
            name = b"error"
            data.append(value)
    if name is None and not data:
        return (b"error", block) if _bare_error(block) else None
    return name, b"\n".join(data)
