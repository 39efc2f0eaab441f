"""Server-sent events, split on bytes, one call a network read.

The common case (LF line ends, one ``data`` line an event) never leaves C: one ``split`` a read. Everything that the
specification allows beside it (CR, CRLF, several data lines, comments, ``id``, ``retry``, a byte order mark, events
and characters cut anywhere by the network) gives the same events, however the bytes are cut.
https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
"""

from __future__ import annotations

Event = tuple[bytes | None, bytes]
"""The event's name (``None`` without one) and its data; either may be empty, not both."""

_BOM = b"\xef\xbb\xbf"


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
        if self._fresh:
            raw = self._strip_mark(raw)
        if self._skip_lf or b"\r" in raw:
            raw = self._normalise(raw)
        buffer = self._buffer
        if not buffer and raw.endswith(b"\n\n"):
            return _events(raw[:-2])
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
    events: list[Event] = []
    append = events.append
    for block in whole.split(b"\n\n"):
        if block[:6] == b"data: " and b"\n" not in block:
            append((None, block[6:]))
            continue
        if block[:7] == b"event: ":
            end = block.find(b"\ndata: ")
            if end > 0 and b"\n" not in block[7:end] and block.find(b"\n", end + 7) < 0:
                append((block[7:end] or None, block[end + 7 :]))
                continue
        event = _parse(block)
        if event is not None:
            append(event)
    return events


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
