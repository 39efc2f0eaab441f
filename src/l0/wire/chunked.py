"""The plain chunks of an HTTP/1.1 body. Whatever else can stand there is left to a parser that knows all of it.

A chunk is plain when its size is followed by its payload, and by nothing else. Chunk extensions, the last chunk,
trailers and mistakes are not: there this parser stops, and another one goes on.
https://www.rfc-editor.org/rfc/rfc9112#section-7.1
"""

from __future__ import annotations

import re

# The line end behind a payload is read with the next head, so that the payload need not wait for it.
_head = re.compile(rb"\r\n([0-9A-Fa-f]{1,8})\r\n").match
_beginning = re.compile(rb"\r?|\r\n[0-9A-Fa-f]{0,8}\r?").fullmatch


class Chunks:
    """Bytes in, payload out. ``over``: it came to something that is no plain chunk, and must not be fed any more."""

    __slots__ = ("_held", "_left", "over")

    def __init__(self) -> None:
        self._held = b"\r\n"  # before the first chunk, as behind any other
        self._left = 0
        self.over = False

    def feed(self, raw: bytes) -> list[bytes]:
        """The payload in this read, chunk by chunk; all of it, also that of a chunk that is not whole yet."""
        if self._held:
            raw = self._held + raw
        left, at = self._left, 0
        parts: list[bytes] = []
        while True:
            if left:
                piece = raw[at : at + left]
                if piece:
                    parts.append(piece)
                    left -= len(piece)
                    at += len(piece)
                if left:
                    break
            head = _head(raw, at)
            if head is None or not (left := int(head[1], 16)):
                break
            at = head.end()
        self._left, self._held = left, raw[at:]
        self.over = not _beginning(self._held)
        return parts

    def rest(self) -> bytes:
        """What brings a full parser to where this one stands: a chunk, whose first byte it has to drop, up to here."""
        return b"%x\r\nx%s" % (self._left + 1, self._held)
