"""Remove secrets from a body whose reads are written in batches: a secret may begin in one batch and end in the
next."""

from __future__ import annotations

from collections.abc import Iterator

from .body_decoding import DamagedBodyError, Decode, UnknownEncodingError, body_decoder
from .recording_events import Read
from .redaction import Redaction, unfinished

_CONTEXT = 16
"""Bytes before a read that show whether it begins after a scheme such as ``Bearer``, or in the middle of a word."""


class BodyRedaction:
    """The reads of one body that are not written yet.

    A read that ends within a word waits for the next one, as the word may be a secret. Events of a stream end with an
    empty line, so that few reads wait. ``encoding``: the content encoding of the reads, which is undone, as a secret
    cannot be found in compressed bytes.
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

    def take(self, *, final: bool) -> Iterator[tuple[Read, bytes]]:
        """Remove and yield the reads that can be written, each with its bytes without secrets. ``final``: all reads."""
        waiting, self._waiting = self._waiting, []
        parts = [read.data for read in waiting]
        if not parts:
            return
        whole = self._before + b"".join(parts)
        ready = len(whole) - len(self._before) - (0 if final else unfinished(whole))
        clean = self._redaction.reads(parts, self._before)
        end = 0
        for read, data in zip(waiting, clean, strict=True):
            end += len(read.data)
            if end <= ready:
                self._before = (self._before + read.data)[-_CONTEXT:]
                yield read, data
            else:
                self._waiting.append(read)
