"""Make small valid images and sounds, always the same for the same number."""

import base64
import struct
import zlib
from functools import cache

_SIDE = 16
"""Width and height of an image, in pixels."""
_SAMPLES = 240
"""Samples for each token of a transcript: 10 ms at 24 kHz."""


@cache
def picture(number: int) -> str:
    """Return a PNG as base64: squares whose grey depends on the number."""
    rows = b"".join(b"\0" + bytes((x ^ y ^ number) * 15 % 256 for x in range(_SIDE)) for y in range(_SIDE))
    head = struct.pack(">IIBBBBB", _SIDE, _SIDE, 8, 0, 0, 0, 0)
    chunks = (_chunk(b"IHDR", head), _chunk(b"IDAT", zlib.compress(rows)), _chunk(b"IEND", b""))
    return base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"".join(chunks)).decode()


@cache
def sound(number: int) -> str:
    """Return the 16-bit samples of one token as base64: a sawtooth wave whose pitch depends on the number."""
    step = 200 + number % 16 * 40
    samples = ((index * step) % 20_000 - 10_000 for index in range(_SAMPLES))
    return base64.b64encode(b"".join(struct.pack("<h", sample) for sample in samples)).decode()


def sounds(tokens: int) -> str:
    """Return the samples of a whole answer as base64."""
    return base64.b64encode(b"".join(base64.b64decode(sound(number)) for number in range(tokens))).decode()


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
