"""Read a streamed body up to its first content, for a hedge race, and keep what was read for the user."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing
from time import perf_counter
from typing import Any

from l0.engine.machine import incomplete_answer
from l0.model.failure import Cause, Failure
from l0.model.ports import WireReader
from l0.runtime.body_parser import DecodedEventParser, WireParser
from l0.runtime.deadlines import CallDeadlines

from .sdk_responses import PeekedByteStream


class ReadAhead:
    """The beginning of a body. ``decoder``: the client's decoder of events; ``None`` if it is the SDK's usual one.
    ``deadlines``: record the reads of this body; ``None`` without time limits."""

    def __init__(
        self, body: PeekedByteStream, reader: WireReader, decoder: Any | None, deadlines: CallDeadlines | None
    ) -> None:
        self._body = body
        self._reader = reader
        self._decoder = decoder
        self._deadlines = deadlines
        self._parser = WireParser(reader) if decoder is None else DecodedEventParser(reader, resumed=False)

    def until_content(self) -> Failure | None:
        """Return ``None`` at the first content, or at the end of a complete answer; a failure if the body reports one,
        or ends, before either."""
        parts = self._parts()
        decided = any(map(self._decides, parts if self._decoder is None else self._decoder.iter_bytes(parts)))
        return self._result(decided=decided)

    async def auntil_content(self) -> Failure | None:
        """As `until_content`."""
        async with aclosing(self._aparts()) as parts:
            if self._decoder is None:
                return self._result(decided=await self._adecided(parts))
            async with aclosing(self._decoder.aiter_bytes(parts)) as events:
                return self._result(decided=await self._adecided(events))

    async def _adecided(self, items: AsyncIterator[Any]) -> bool:
        async for item in items:
            if self._decides(item):
                return True
        return False

    def _parts(self) -> Iterator[bytes]:
        self._starts_read()
        for part in self._body.ahead():
            self._has_read()
            yield part
            self._starts_read()

    async def _aparts(self) -> AsyncGenerator[bytes, None]:
        self._starts_read()
        async with aclosing(self._body.aahead()) as parts:
            async for part in parts:
                self._has_read()
                yield part
                self._starts_read()

    def _starts_read(self) -> None:
        if self._deadlines is not None:
            self._deadlines.reading(perf_counter())

    def _has_read(self) -> None:
        if self._deadlines is not None:
            self._deadlines.read(perf_counter(), content=False)

    def _decides(self, item: Any) -> bool:
        self._parser.feed(item)
        return bool(self._reader.content or self._reader.accepted or self._reader.stopped)

    def _result(self, *, decided: bool) -> Failure | None:
        reader = self._reader
        if reader.failure is not None and not reader.content:
            return reader.failure
        return None if decided else incomplete_answer(reader.incomplete_cause() or Cause.EMPTY)
