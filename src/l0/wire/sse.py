"""Server-sent events, split on bytes, one call a network read.

The common case (LF line ends, an ``event`` line or none, one ``data`` line) never leaves C: one match an event.
Everything that the specification allows beside it (CR, CRLF, several data lines, comments, ``id``, ``retry``, a byte
order mark, events and characters cut anywhere by the network) gives the same events, however the bytes are cut.
https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
"""

from __future__ import annotations

import re

Event = tuple[bytes | None, bytes]
"""The event's name (``None`` without one) and its data; either may be empty, not both."""

_BOM = b"\xef\xbb\xbf"
# Possessive: a long event that is not whole yet fails in one pass.
_usual = re.compile(rb"(?:event: ?+(.++)\n)?data: ?+(.*+)\n\n").match


class Splitter:
    """Bytes in, whole events out. Linear in the length of the input, whatever its cuts."""

    __slots__ = ("_buffer", "_fresh", "_scanned", "_skip_lf")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._scanned = 0
        self._fresh = True
        self._skip_lf = False

    def feed(self, raw: bytes) -> list[Event]:
        """All events that end in this read, in order."""
        events: list[Event] = []
        if not (self._fresh or self._skip_lf or self._buffer or b"\r" in raw):
            at, end = 0, len(raw)
            while (usual := _usual(raw, at)) is not None:
                events.append(usual.groups())  # type: ignore[arg-type]  # two groups, the first optional
                at = usual.end()
                if at == end:
                    return events
            raw = raw[at:]
        events += self._unusual(raw)
        return events

    def _unusual(self, raw: bytes) -> list[Event]:
        if self._fresh:
            raw = self._strip_mark(raw)
        if self._skip_lf or b"\r" in raw:
            raw = self._normalise(raw)
        buffer = self._buffer
        buffer += raw
        end = buffer.rfind(b"\n\n", max(self._scanned - 1, 0))
        if end < 0:
            self._scanned = len(buffer)
            return []
        whole = bytes(buffer[:end])
        del buffer[: end + 2]
        self._scanned = len(buffer)
        return _events(whole)

    def _strip_mark(self, raw: bytes) -> bytes:
        """A byte order mark may itself be cut: wait for three bytes before deciding."""
        raw = bytes(self._buffer) + raw
        if len(raw) < len(_BOM) and _BOM.startswith(raw):
            self._buffer[:] = raw
            return b""
        self._buffer.clear()
        self._fresh = False
        return raw.removeprefix(_BOM)

    def _normalise(self, raw: bytes) -> bytes:
        """CR and CRLF to LF; the LF of a CRLF that was cut in two is dropped when it comes."""
        if not raw:
            return raw
        if self._skip_lf and raw[:1] == b"\n":
            raw = raw[1:]
            if not raw:
                self._skip_lf = False
                return raw
        self._skip_lf = raw[-1:] == b"\r"
        return raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def _events(whole: bytes) -> list[Event]:
    return [event for block in whole.split(b"\n\n") if (event := _parse(block)) is not None]


def _parse(block: bytes) -> Event | None:
    """One block by the letter of the specification. ``id`` and ``retry`` concern reconnection only."""
    name: bytes | None = None
    data: list[bytes] = []
    for line in block.split(b"\n"):
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            data.append(value)
        elif field == b"event":
            name = value or None
    if name is None and not data:
        return None
    return name, b"\n".join(data)
