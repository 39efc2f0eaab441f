"""Read the body of an OTLP request: its encoding, its compression and its limits."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator, Mapping

MAX_BODY_BYTES = 20 * 2**20
"""Maximum size of a body, decompressed: the same as the OpenTelemetry Collector's."""
PROTOBUF, JSON = "application/x-protobuf", "application/json"
_WINDOWS = {"gzip": zlib.MAX_WBITS | 16, "deflate": zlib.MAX_WBITS}


class BodyRefusedError(Exception):
    """A body that is not read. ``status``: the HTTP status of the answer."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def content_type(headers: Mapping[str, str]) -> str:
    """Return `PROTOBUF` or `JSON`. Raises `BodyRefusedError` for any other type."""
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in (PROTOBUF, JSON):
        raise BodyRefusedError(415, f"Content-Type must be {PROTOBUF} or {JSON}; gRPC is not supported")
    return kind


async def read_body(headers: Mapping[str, str], chunks: AsyncIterator[bytes], limit: int = MAX_BODY_BYTES) -> bytes:
    """Return the decompressed body. Raises `BodyRefusedError` if it is too large, broken, or compressed in another way.

    The limit holds before and after decompression, so a small body that expands without end is refused early.
    """
    length = headers.get("content-length", "")
    if length.isascii() and length.isdigit() and int(length) > limit:
        raise _too_large(limit)
    encoding = headers.get("content-encoding", "identity").strip().lower()
    if encoding not in (*_WINDOWS, "identity", ""):
        raise BodyRefusedError(415, "Content-Encoding must be gzip, deflate or identity")
    body = bytearray()
    async for chunk in chunks:
        body += chunk
        if len(body) > limit:
            raise _too_large(limit)
    return decompress(bytes(body), encoding, limit) if encoding in _WINDOWS else bytes(body)


def decompress(body: bytes, encoding: str, limit: int) -> bytes:
    """Return a gzip or deflate body decompressed; gzip may have several members. Raises `BodyRefusedError`."""
    parts: list[bytes] = []
    remaining = limit
    while body:
        decoder = zlib.decompressobj(_WINDOWS[encoding])
        try:
            part = decoder.decompress(body, remaining + 1)
        except zlib.error as error:
            raise BodyRefusedError(400, f"the body is not {encoding}") from error
        remaining -= len(part)
        if remaining < 0:
            raise _too_large(limit)
        if not decoder.eof:
            raise BodyRefusedError(400, f"the {encoding} body is cut off")
        parts.append(part)
        body = decoder.unused_data
    return b"".join(parts)


def _too_large(limit: int) -> BodyRefusedError:
    return BodyRefusedError(413, f"the body is larger than {limit:,} bytes")
