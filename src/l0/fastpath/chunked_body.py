"""Parser of plain chunks of an HTTP/1.1 body. Everything else is left to a complete parser.

A chunk is plain if it consists of its size and its payload only. Chunk extensions, the last chunk, trailers and errors
are not plain: this parser stops there, and the complete parser continues. This saves most of the cost of reading a
chunked stream. Source: https://www.rfc-editor.org/rfc/rfc9112#section-7.1
"""

from __future__ import annotations

import re

# The line end after a payload is matched with the next head, so that the payload does not wait for it.
_head = re.compile(rb"\r\n([0-9A-Fa-f]{1,8})\r\n").match
_beginning = re.compile(rb"\r?|\r\n[0-9A-Fa-f]{0,8}\r?").fullmatch


class Chunks:
    """Extracts the payload of plain chunks. ``over``: true after other data; do not call `feed` after that."""

    __slots__ = ("_held", "_left", "over")

    def __init__(self) -> None:
        self._held = b"\r\n"  # a head starts with the line end of the chunk before, also for the first chunk
        self._left = 0
        self.over = False

    def feed(self, raw: bytes) -> list[bytes]:
        """Return the payload in this read, chunk by chunk, including the payload of an incomplete chunk."""
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
        # State is written once per read: the loop works on local variables, which are faster than attributes.
        self._left, self._held = left, raw[at:]
        self.over = not _beginning(self._held)
        return parts

    def rest(self) -> bytes:
        """Return bytes that bring a complete parser to the current position.

        They begin a chunk with one byte of payload (``x``), which the caller must drop from the parser's output.
        """
        return b"%x\r\nx%s" % (self._left + 1, self._held)
