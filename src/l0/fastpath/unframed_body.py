"""A body of an HTTP/1.1 message without chunks: its length is known, or it ends with the connection."""

from __future__ import annotations


class UnframedBody:
    """Returns the bytes of a body up to its end.

    ``left``: the number of bytes that have not arrived; ``None`` if the body ends with the connection. ``stopped``:
    True at the end of the body. ``rest``: the bytes that arrived after the end.
    """

    __slots__ = ("left", "rest", "stopped")

    def __init__(self, left: int | None) -> None:
        self.left = left
        self.rest = b""
        self.stopped = left == 0

    def feed(self, raw: bytes) -> list[bytes]:
        """Return the bytes of the body in this read, as a list with at most one item."""
        left = self.left
        if left is None:
            return [raw] if raw else []
        if len(raw) < left:
            self.left = left - len(raw)
            return [raw] if raw else []
        self.left, self.rest, self.stopped = 0, raw[left:], True
        return [raw[:left]] if left else []
