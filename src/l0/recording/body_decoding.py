"""Undo the content encoding of a recorded body, read by read."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module

_AUTOMATIC = 32 + zlib.MAX_WBITS
"""Accepts the headers of gzip and of zlib."""
_BY_PACKAGE = {
    "zstd": (("compression.zstd", "ZstdDecompressor"), ("backports.zstd", "ZstdDecompressor")),
    "br": (("brotli", "Decompressor"), ("brotlicffi", "Decompressor")),
}
"""Modules and classes that the transports use for these encodings."""


class UnknownEncodingError(ValueError):
    """No installed module can decode the body."""


def body_decoder(encoding: str) -> Callable[[bytes], bytes]:
    """Return a function that decodes one read after another. Raises `UnknownEncodingError`."""
    name = encoding.strip().lower()
    if name in ("", "identity"):
        return bytes
    if name in ("gzip", "x-gzip", "deflate"):
        return zlib.decompressobj(_AUTOMATIC).decompress
    for module, kind in _BY_PACKAGE.get(name, ()):
        with suppress(ImportError):
            made = getattr(import_module(module), kind)()
            decode: Callable[[bytes], bytes] = getattr(made, "decompress", None) or made.process
            return decode
    raise UnknownEncodingError(name)
