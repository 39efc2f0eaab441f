"""Record the bytes of a body as they come from the connection."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from typing import Any

from l0.recording.call_recorder import CallRecorder


class RecordedByteStream:
    """The transport's byte stream of one attempt. It sees every read, whoever reads: the engine, or the user.

    ``known``: the number of reads that were recorded when a hedge race read them ahead.
    """

    inner: Any
    recording: CallRecorder
    number: int
    known: int

    def __iter__(self) -> Iterator[bytes]:
        read, number, ending = self.recording.read, self.number, "closed"
        source = iter(self.inner)
        try:
            for _ in range(self.known):
                yield next(source)
            for part in source:
                read(number, part)
                yield part
            ending = "eof"
        except Exception:
            ending = "error"
            raise
        finally:
            self.recording.body_ended(number, ending)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        read, number, ending = self.recording.read, self.number, "closed"
        source = aiter(self.inner)
        try:
            for _ in range(self.known):
                yield await anext(source)
            async for part in source:
                read(number, part)
                yield part
            ending = "eof"
        except Exception:
            ending = "error"
            raise
        finally:
            self.recording.body_ended(number, ending)
            if isinstance(source, AsyncGenerator):
                await source.aclose()  # else the garbage collector would, while the next attempt reads

    def close(self) -> None:
        """Close the connection."""
        self.inner.close()

    async def aclose(self) -> None:
        """As `close`."""
        await self.inner.aclose()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)
