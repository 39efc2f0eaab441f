"""Undo the content encoding of a body, read by read."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module

_GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS
"""Accepts the headers of gzip and of zlib."""
_HEADER_BYTES = 2
"""Length of the header of zlib."""
_BY_PACKAGE = {
    "zstd": (("compression.zstd", "ZstdDecompressor"), ("backports.zstd", "ZstdDecompressor")),
    "br": (("brotli", "Decompressor"), ("brotlicffi", "Decompressor")),
}
"""Modules and classes that the transports use for these encodings."""


class UnknownEncodingError(ValueError):
    """No installed module can decode the body."""


class DamagedBodyError(ValueError):
    """The body is damaged. The message has the error of the module that decodes it."""


Decode = Callable[[bytes], bytes]


def body_decoder(encoding: str) -> Decode:
    """Return a function that decodes one read after another. ``encoding``: the value of ``content-encoding``.

    Raises `UnknownEncodingError`. The function raises `DamagedBodyError`.
    """
    names = [name.strip().lower() for name in encoding.split(",")]
    decoders = [_decoder(name) for name in reversed(names) if name not in ("", "identity")]

    def decode(data: bytes) -> bytes:
        try:
            for decoder in decoders:
                data = decoder(data)
        except Exception as error:  # each module has its own errors
            raise DamagedBodyError(f"{type(error).__name__}: {error}") from error
        return data

    return decode


def _decoder(name: str) -> Decode:
    if name in ("gzip", "x-gzip"):
        return zlib.decompressobj(_GZIP_OR_ZLIB).decompress
    if name == "deflate":
        return _Inflater().decode
    for module, kind in _BY_PACKAGE.get(name, ()):
        with suppress(ImportError):
            made = getattr(import_module(module), kind)()
            decode: Decode = getattr(made, "decompress", None) or made.process
            return decode
    raise UnknownEncodingError(name)


class _Inflater:
    """Decodes ``deflate``, which some servers send without the header of zlib. The first two bytes show whether it has
    one."""

    def __init__(self) -> None:
        self._decode: Decode | None = None
        self._start = b""

    def decode(self, data: bytes) -> bytes:
        """Decode one read."""
        if self._decode is not None:
            return self._decode(data)
        self._start += data
        if len(self._start) < _HEADER_BYTES:
            return b""
        self._decode = zlib.decompressobj(_GZIP_OR_ZLIB).decompress
        try:
            return self._decode(self._start)
        except zlib.error:
            self._decode = zlib.decompressobj(-zlib.MAX_WBITS).decompress
            return self._decode(self._start)
