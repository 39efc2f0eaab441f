"""Write messages of Amazon's event streams. Source: https://smithy.io/2.0/aws/amazon-eventstream.html"""

import struct
from collections.abc import Mapping
from zlib import crc32

CONTENT_TYPE = "application/vnd.amazon.eventstream"
_TEXT = 7
"""The number of the header type string, the only type that Bedrock sends."""
_PRELUDE = struct.Struct(">II")
_NUMBER = struct.Struct(">I")


def frame(headers: Mapping[str, str], payload: bytes) -> bytes:
    """Return one message: two sizes and their checksum, the headers, the payload, and the checksum of all of these."""
    head = b"".join(_header(name.encode(), value.encode()) for name, value in headers.items())
    sizes = _PRELUDE.pack(_PRELUDE.size + len(head) + len(payload) + 2 * _NUMBER.size, len(head))
    message = sizes + _NUMBER.pack(crc32(sizes)) + head + payload
    return message + _NUMBER.pack(crc32(message))


def _header(name: bytes, value: bytes) -> bytes:
    return bytes([len(name)]) + name + struct.pack(">BH", _TEXT, len(value)) + value
