"""Read and write the subset of HTTP/1.1 that a simulator needs: requests within limits, response heads and chunks."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, urlsplit

MAX_HEAD = 65_536
"""Maximum size of a request line with its headers, and of the trailers of a chunked body, in bytes."""
MAX_HEADERS = 200
MAX_BODY = 64 * 1024 * 1024

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_LENGTH = re.compile(r"[0-9]{1,15}")
_CHUNK_SIZE = re.compile(rb"([0-9a-fA-F]{1,8})[ \t]*(?:;[^\r\n]*)?")
_CHUNK_LINE = 1_024
"""Maximum size of a chunk header, in bytes."""


class BadRequestError(Exception):
    """An unreadable request. It is answered with ``status``, and the connection cannot be read further."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRequest:
    """One request. `target` is the path with its query. Header names are in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def path(self) -> str:
        """Return the path without its query."""
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        """Return the last value of each query parameter."""
        return {name: values[-1] for name, values in parse_qs(urlsplit(self.target).query).items()}

    @property
    def json(self) -> Any:
        """Return the body as JSON; None if it is not JSON or nested too deeply."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None


@dataclass(frozen=True, slots=True)
class _Head:
    method: str
    target: str
    headers: Mapping[str, str]
    length: int | None
    """Length of the body; None for a chunked body."""


class RequestReader:
    """Splits received bytes into requests. Scans each byte once, however the bytes are split into packets."""

    __slots__ = ("_body", "_buffer", "_chunk_left", "_head", "_scanned", "_trailers")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._scanned = 0  # bytes of the buffer in which no end of a head was found
        self._begin()

    def _begin(self) -> None:
        self._head: _Head | None = None
        self._body = bytearray()
        self._chunk_left = 0  # bytes of the current chunk that are not read yet, with its line end
        self._trailers: int | None = None
        """Bytes of trailers so far; ``None`` before the last chunk."""

    def feed(self, data: bytes) -> None:
        """Add received bytes."""
        self._buffer += data

    @property
    def waiting(self) -> int:
        """Return the number of unread bytes."""
        return len(self._buffer)

    @property
    def begun(self) -> bool:
        """Return True if a part of a request was received."""
        return bool(self._buffer) or self._head is not None

    def next(self) -> HttpRequest | None:
        """Return the next complete request; None if it is incomplete. Raises `BadRequestError`."""
        if self._head is None:
            self._head = self._read_head()
        head = self._head
        if head is None or not (self._read_chunks() if head.length is None else self._read_length(head.length)):
            return None
        request = HttpRequest(method=head.method, target=head.target, headers=head.headers, body=bytes(self._body))
        self._begin()
        return request

    def _read_head(self) -> _Head | None:
        end = self._buffer.find(b"\r\n\r\n", max(0, self._scanned - 3))
        self._scanned = len(self._buffer)
        if end > MAX_HEAD or (end < 0 and self._scanned > MAX_HEAD):
            raise BadRequestError(f"the head is too long, allowed are {MAX_HEAD} bytes", 431)
        if end < 0:
            return None
        text = self._buffer[:end].decode("latin-1")
        del self._buffer[: end + 4]
        self._scanned = 0
        return _head_of(text)

    def _read_length(self, length: int) -> bool:
        if len(self._buffer) < length:
            return False
        self._body = self._buffer[:length]
        del self._buffer[:length]
        return True

    def _read_chunks(self) -> bool:
        """Read the available chunks. Return True if the body is complete."""
        buffer, position = self._buffer, 0
        try:
            while self._trailers is None:
                if not self._chunk_left:
                    line_end = buffer.find(b"\r\n", position, position + _CHUNK_LINE)
                    if line_end < 0:
                        if len(buffer) - position >= _CHUNK_LINE:
                            raise BadRequestError("a chunk header is too long")
                        return False
                    self._open_chunk(bytes(buffer[position:line_end]))
                    position = line_end + 2
                    continue
                if len(buffer) - position < self._chunk_left:
                    return False
                end = position + self._chunk_left
                if buffer[end - 2 : end] != b"\r\n":
                    raise BadRequestError("a chunk is longer than its size")
                self._body += buffer[position : end - 2]
                position, self._chunk_left = end, 0
        finally:
            del buffer[:position]
        return self._read_trailers()

    def _open_chunk(self, line: bytes) -> None:
        found = _CHUNK_SIZE.fullmatch(line)
        if found is None:
            raise BadRequestError(f"not a chunk size: {line[:40]!r}")
        size = int(found[1], 16)
        if len(self._body) + size > MAX_BODY:
            raise BadRequestError(f"the body is too long, allowed are {MAX_BODY} bytes", 413)
        if size:
            self._chunk_left = size + 2
        else:
            self._trailers = 0

    def _read_trailers(self) -> bool:
        while (end := self._buffer.find(b"\r\n")) > 0:
            assert self._trailers is not None
            self._trailers += end
            del self._buffer[: end + 2]
            self._check_trailers(0)
        if end == 0:
            del self._buffer[:2]
            return True
        self._check_trailers(len(self._buffer))
        return False

    def _check_trailers(self, more: int) -> None:
        if (self._trailers or 0) + more > MAX_HEAD:
            raise BadRequestError(f"the trailers are too long, allowed are {MAX_HEAD} bytes", 431)


def _head_of(text: str) -> _Head:
    first, *lines = text.split("\r\n")
    words = first.split(" ")
    if len(words) != 3 or not words[2].startswith("HTTP/1.") or not _TOKEN.fullmatch(words[0]):
        raise BadRequestError(f"not an HTTP/1.1 request line: {first[:80]!r}")
    if len(lines) > MAX_HEADERS:
        raise BadRequestError(f"{len(lines)} headers, allowed are {MAX_HEADERS}", 431)
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not _TOKEN.fullmatch(name):
            raise BadRequestError(f"not a header: {line[:80]!r}")
        name, value = name.lower(), value.strip()
        if name in ("content-length", "host", "transfer-encoding") and headers.get(name, value) != value:
            raise BadRequestError(f"{name}: given twice with different values")
        headers[name] = value
    try:
        urlsplit(words[1])
    except ValueError as error:
        raise BadRequestError(f"not a path: {words[1][:80]!r}: {error}") from None
    return _Head(words[0], words[1], headers, _length(headers))


def _length(headers: Mapping[str, str]) -> int | None:
    coding, length = headers.get("transfer-encoding"), headers.get("content-length", "0")
    if coding is not None:
        if coding.lower() != "chunked" or "content-length" in headers:
            raise BadRequestError("transfer-encoding: allowed is chunked, without a content-length")
        return None
    if not _LENGTH.fullmatch(length):
        raise BadRequestError(f"content-length: {length[:40]!r} given, allowed is a whole number")
    if int(length) > MAX_BODY:
        raise BadRequestError(f"the body is too long, allowed are {MAX_BODY} bytes", 413)
    return int(length)


def head(status: int, headers: Mapping[str, str]) -> bytes:
    """Return the status line and headers as bytes."""
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:  # 529 and similar statuses have no standard phrase
        phrase = "Overloaded" if status == 529 else "Unknown"
    lines = [f"HTTP/1.1 {status} {phrase}", *(f"{name}: {value}" for name, value in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def chunk(data: bytes) -> bytes:
    """Return one chunk of a chunked body; nothing for no data, because an empty chunk ends the body."""
    return b"%x\r\n%b\r\n" % (len(data), data) if data else b""


LAST_CHUNK = b"0\r\n\r\n"
