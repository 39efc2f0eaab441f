"""The answers through which `direct_proof` compares both ways to read a body."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto


class SocketEnding(Enum):
    """The event after the last bytes of an answer: the connection is closed, is reset, or stays silent."""

    CLOSED = auto()
    RESET = auto()
    SILENT = auto()


Piece = bytes | SocketEnding


@dataclass(frozen=True, slots=True)
class Script:
    """One answer. ``pieces``: the results of the reads of the socket. ``closes``: the user closes the body after its
    first part, and reads on."""

    name: str
    pieces: tuple[Piece, ...]
    closes: bool = False

    @property
    def silent(self) -> bool:
        """True if only a timeout ends the answer."""
        return SocketEnding.SILENT in self.pieces


_CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
_SIZED = b"HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\n"
_OPEN = b"HTTP/1.1 200 OK\r\n\r\n"
_CHUNKS = b"3\r\nabc\r\n4\r\ndefg\r\n"
_END = b"0\r\n\r\n"
NEXT = Script("next", (_SIZED, b"another"))
"""The answer to the request after each script."""
SCRIPTS = (
    Script("chunks", (_CHUNKED, _CHUNKS, _END)),
    Script("chunks with the headers", (_CHUNKED + _CHUNKS + _END,)),
    Script("split chunks", (_CHUNKED + b"3\r\na", b"bc\r", b"\n4", b"\r\ndefg\r\n0\r\n", b"\r\n")),
    Script("chunks with an extension and a trailer", (_CHUNKED, b"3;x=y\r\nabc\r\n", b"0\r\nx-trailer: 1\r\n\r\n")),
    Script("chunks and more", (_CHUNKED, _CHUNKS + _END + b"HTTP/1.1 200 OK\r\n")),
    Script("chunks, and more in another read", (_CHUNKED, _CHUNKS + _END, b"HTTP/1.1 200 OK\r\n")),
    Script("chunks, cut between two", (_CHUNKED, _CHUNKS, SocketEnding.CLOSED)),
    Script("chunks, cut in one", (_CHUNKED + b"5\r\nab", SocketEnding.CLOSED)),
    Script("chunks, malformed", (_CHUNKED, _CHUNKS, b"what?\r\n")),
    Script("chunks, reset", (_CHUNKED, _CHUNKS, SocketEnding.RESET)),
    Script("chunks, silent", (_CHUNKED + _CHUNKS, SocketEnding.SILENT)),
    Script("chunks, closed early", (_CHUNKED, _CHUNKS, _END), closes=True),
    Script("length", (_SIZED, b"abc", b"defg")),
    Script("length, with the headers", (_SIZED + b"abcdefg",)),
    Script("length, and more", (_SIZED, b"abcdefgHTTP/1.1 200 OK\r\n")),
    Script("length, and more in another read", (_SIZED, b"abcdefg", b"HTTP/1.1 200 OK\r\n")),
    Script("length, cut", (_SIZED + b"abc", SocketEnding.CLOSED)),
    Script("length, reset", (_SIZED, b"abc", SocketEnding.RESET)),
    Script("length, silent", (_SIZED + b"abc", SocketEnding.SILENT)),
    Script("length, closed early", (_SIZED, b"abc", b"defg"), closes=True),
    Script("no length", (_OPEN, b"abc", b"defg", SocketEnding.CLOSED)),
    Script("no length, reset", (_OPEN + b"abc", SocketEnding.RESET)),
    Script("no length, closed early", (_OPEN, b"abc", b"defg", SocketEnding.CLOSED), closes=True),
)
