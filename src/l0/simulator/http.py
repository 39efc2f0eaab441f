"""As much HTTP/1.1 as a simulator needs: read a request, write a head and chunks."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, urlsplit


class BadRequestError(Exception):
    """The bytes are no HTTP/1.1 request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request: `target` is the path with its query, header names are lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def path(self) -> str:
        """The path without its query."""
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        """The last value of each query parameter."""
        return {name: values[-1] for name, values in parse_qs(urlsplit(self.target).query).items()}

    @property
    def json(self) -> Any:
        """The body as JSON; None where it is none."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None


def take(buffer: bytearray) -> Request | None:
    """Take one whole request off the buffer; None while it is not complete."""
    end = buffer.find(b"\r\n\r\n")
    if end < 0:
        return None
    first, *lines = buffer[:end].decode("latin-1").split("\r\n")
    words = first.split(" ")
    if len(words) != 3 or not words[2].startswith("HTTP/1."):
        raise BadRequestError(f"not an HTTP/1.1 request line: {first[:80]!r}")
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body, after = _body(buffer, end + 4, headers)
    if body is None:
        return None
    del buffer[:after]
    return Request(method=words[0], target=words[1], headers=headers, body=body)


def _body(buffer: bytearray, start: int, headers: Mapping[str, str]) -> tuple[bytes | None, int]:
    try:
        if "chunked" in headers.get("transfer-encoding", "").lower():
            return _chunks(buffer, start)
        after = start + int(headers.get("content-length", "0"))
    except ValueError as error:
        raise BadRequestError(f"body length: {error}") from None
    return (bytes(buffer[start:after]), after) if len(buffer) >= after else (None, 0)


def _chunks(buffer: bytearray, at: int) -> tuple[bytes | None, int]:
    body = bytearray()
    while (line := buffer.find(b"\r\n", at)) >= 0:
        size = int(buffer[at:line], 16)
        at = line + 2 + size + 2
        if len(buffer) < at:
            break
        if size == 0:
            return bytes(body), at
        body += buffer[line + 2 : at - 2]
    return None, 0


def head(status: int, headers: Mapping[str, str]) -> bytes:
    """Status line and headers."""
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:  # 529 and its like have no standard phrase
        phrase = "Overloaded" if status == 529 else "Unknown"
    lines = [f"HTTP/1.1 {status} {phrase}", *(f"{name}: {value}" for name, value in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def chunk(data: bytes) -> bytes:
    """One chunk of a chunked body."""
    return b"%x\r\n%b\r\n" % (len(data), data)


LAST_CHUNK = b"0\r\n\r\n"
