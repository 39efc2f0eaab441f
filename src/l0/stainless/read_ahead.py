"""Read a streamed body up to its first content, for a hedge race, and keep what was read for the user."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

from l0.model.ports import WireReader
from l0.runtime.body_parser import DecodedEventParser, WireParser

from .sdk_responses import PeekedByteStream


class ReadAhead:
    """The beginning of a body. ``decoder``: the client's decoder of events; ``None`` if it is the SDK's usual one."""

    def __init__(self, body: PeekedByteStream, reader: WireReader, decoder: Any | None) -> None:
        self._body = body
        self._reader = reader
        self._decoder = decoder
        self._parser = WireParser(reader) if decoder is None else DecodedEventParser(reader, resumed=False)

    def until_content(self) -> bool:
        """Return True at the first content, or at the end of the answer; False if the body ends before it."""
        parts = self._body.ahead()
        return any(map(self._decides, parts if self._decoder is None else self._decoder.iter_bytes(parts)))

    async def auntil_content(self) -> bool:
        """As `until_content`."""
        async with aclosing(self._body.aahead()) as parts:
            if self._decoder is None:
                return await self._adecided(parts)
            async with aclosing(self._decoder.aiter_bytes(parts)) as events:
                return await self._adecided(events)

    async def _adecided(self, items: AsyncIterator[Any]) -> bool:
        async for item in items:
            if self._decides(item):
                return True
        return False

    def _decides(self, item: Any) -> bool:
        self._parser.feed(item)
        return bool(self._reader.content or self._reader.accepted or self._reader.stopped)
