"""Parse plain chunks of an HTTP/1.1 body, which costs much less than a complete HTTP parser.

A chunk is plain if it consists of its size and its payload only. Chunk extensions, the last chunk, trailers and errors
are not plain: this parser stops there, and a complete parser continues.
Source: https://www.rfc-editor.org/rfc/rfc9112#section-7.1
"""

from __future__ import annotations

import re

# The CRLF after a payload is parsed as part of the next chunk's head, so the payload can be returned before it arrives.
_head = re.compile(rb"\r\n([0-9A-Fa-f]{1,8})\r\n").match
_partial_head = re.compile(rb"\r?|\r\n[0-9A-Fa-f]{0,8}\r?").fullmatch
LAST_CHUNK = b"0\r\n\r\n"
_LAST = b"\r\n" + LAST_CHUNK


class PlainChunkParser:
    """Extracts the payload of plain chunks.

    ``stopped``: true once the input is not a plain chunk. Then pass `handover_bytes` to a complete parser, and do not
    call `feed` again.
    """

    __slots__ = ("_unparsed", "_left", "stopped")

    def __init__(self) -> None:
        self._unparsed = b"\r\n"  # `_head` expects the line end of the chunk before, also for the first chunk
        self._left = 0
        """The number of payload bytes of the current chunk that have not arrived."""
        self.stopped = False

    def feed(self, raw: bytes) -> list[bytes]:
        """Return the payload in this read, one item per chunk; the last item may be a part of a chunk."""
        if self._unparsed:
            raw = self._unparsed + raw
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
        # The loop uses local variables, which are faster than attributes.
        self._left, self._unparsed = left, raw[at:]
        self.stopped = not _partial_head(self._unparsed)
        return parts

    @property
    def complete(self) -> bool:
        """True if the input ended with the last chunk, without trailers, and nothing came after it."""
        return self._unparsed == _LAST and not self._left

    def handover_bytes(self) -> bytes:
        """Return the bytes to feed first to a complete HTTP parser, so that it continues where this one stopped.

        They are the head of a chunk that is one byte longer than the missing payload, that byte (``x``), and the bytes
        that are not parsed yet. The caller must drop the ``x`` from the parser's output.
        """
        return b"%x\r\nx%s" % (self._left + 1, self._unparsed)
