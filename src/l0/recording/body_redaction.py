"""Remove secrets from a body whose reads are written in batches: a secret may begin in one batch and end in the
next."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate

from .body_decoding import DamagedBodyError, Decode, UnknownEncodingError, body_decoder
from .recording_events import Read
from .redaction import Redaction, unfinished

_CONTEXT = 16
"""Bytes before a read that show whether it begins after a scheme such as ``Bearer``, or in the middle of a word."""


class BodyRedaction:
    """The reads of one body that are not written yet.

    A read that ends within a word waits for the next one, as the word may be a secret. Events of a stream end with an
    empty line, so that few reads wait. With a function of the user, a read that ends within a line waits. ``encoding``:
    the content encoding of the reads, which is undone, as a secret cannot be found in compressed bytes.
    """

    def __init__(self, redaction: Redaction, encoding: str = "") -> None:
        self._redaction = redaction
        self.decodable = True
        """False once a read cannot be decoded. Its bytes and those of later ones are not kept."""
        self._decode: Decode | None = None
        if encoding:
            try:
                self._decode = body_decoder(encoding)
            except UnknownEncodingError:
                self.decodable = False
        self._waiting: list[Read] = []
        self._before = b""
        """The last bytes of the reads that were written."""

    def add(self, read: Read) -> None:
        """Add the next read."""
        if self._decode is not None or not self.decodable:
            read = read._replace(data=self._decoded(read.data))
        self._waiting.append(read)

    def _decoded(self, data: bytes) -> bytes:
        try:
            return b"" if self._decode is None else self._decode(data)
        except DamagedBodyError:
            self._decode, self.decodable = None, False
            return b""

    def take(self, *, final: bool) -> Sequence[tuple[Read, bytes]]:
        """Remove and return the reads that can be written, each with its bytes without secrets. ``final``: all reads.

        Raises what the user's function raises. The reads that it got are then lost.
        """
        parts = [read.data for read in self._waiting]
        count = len(parts) if final else self._finished(parts)
        if not count:
            return []
        ready, self._waiting = self._waiting[:count], self._waiting[count:]
        clean = self._redaction.reads(parts, self._before)[:count]
        self._before = (self._before + b"".join(parts[:count]))[-_CONTEXT:]
        return [*zip(ready, self._redaction.lines(clean), strict=True)]

    def _finished(self, parts: Sequence[bytes]) -> int:
        """Return the number of reads that need not wait for the next one."""
        if self._redaction.by_line:
            return max((number for number, part in enumerate(parts, 1) if part.endswith((b"\n", b"\r"))), default=0)
        ready = sum(map(len, parts)) - unfinished(self._before + b"".join(parts))
        return bisect_right([*accumulate(map(len, parts))], ready)
