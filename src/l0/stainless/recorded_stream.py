"""Record the bytes of a body as they come from the connection."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

from l0.recording.call_recorder import CallRecorder


class RecordedByteStream:
    """The transport's byte stream of one attempt. It records every read, by the engine or by the user.

    ``inner``: the stream that it wraps. ``number``: that of the attempt. ``known``: the number of reads that a hedge
    race has read ahead and recorded.
    """

    inner: Any
    recording: CallRecorder
    number: int
    known: int

    def __iter__(self) -> Iterator[bytes]:
        return self.record(iter(self.inner))

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self.arecord(aiter(self.inner))

    def record(self, parts: Iterator[bytes]) -> Iterator[bytes]:
        """Yield the parts of the body, recorded."""
        return self.recording.body(self.number, parts, self.known)

    def arecord(self, parts: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """As `record`."""
        return self.recording.abody(self.number, parts, self.known)

    def close(self) -> None:
        """Close the connection."""
        self.inner.close()

    async def aclose(self) -> None:
        """As `close`."""
        await self.inner.aclose()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)
