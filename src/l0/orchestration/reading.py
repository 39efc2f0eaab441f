"""Streams read to their end, whoever's they are, and the text of whole answers."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Iterator
from typing import Any

from l0.streams import sources
from l0.streams.adapters import ADAPTERS, Decoder
from l0.streams.events import Event, EventType
from l0.streams.stream import Stream
from l0.values.errors import StreamInterrupted, describe_break, fill


def is_stream(value: object) -> bool:
    """Whether an answer is still to be read: an async iterator, a helper's context manager, or a sync stream."""
    return hasattr(value, "__aiter__") or _is_manager(value) or isinstance(value, Iterator)


def _is_sync(value: object) -> bool:
    return isinstance(value, Iterator) and not sources.is_async(value)


def _is_manager(value: object) -> bool:
    return hasattr(value, "__aenter__") and not hasattr(value, "__aiter__") and hasattr(value, "__aexit__")


async def read(stream: Any) -> str:
    """The text of a stream, which is closed afterwards, however that ends.

    Raises what the stream raises; `l0.StreamInterrupted` where it ends or fails without saying so by an exception.
    """
    if _is_sync(stream):
        close = getattr(stream, "close", None)
        if close is not None:
            close()
        kind = type(stream)
        raise TypeError(
            f"a task gave a {kind.__module__}.{kind.__qualname__}, a sync stream, which would block the others: use "
            "the async client of the SDK, or give l0(...)'s options with `stream`"
        )
    if _is_manager(stream):
        async with stream as entered:
            return await read(entered)
    if isinstance(stream, Stream):
        return await _read_own(stream)
    try:
        return await _text(sources.async_iterator(stream))
    finally:
        await _close(stream)


async def _read_own(stream: Stream) -> str:
    async with stream:
        text = await stream.read()
    if stream.state.aborted:
        raise _interrupted("aborted", "somebody stopped it", [text])
    return text


async def _text(items: AsyncIterator[Any]) -> str:
    decoder: Decoder | None = None
    said: list[str] = []
    async for item in items:
        if isinstance(item, str):
            said.append(item)
            continue
        decoder = decoder or _decoder(item)
        for event in decoder.decode(item):
            _take(event, said)
    if decoder is not None and decoder.whole() is False:
        raise _interrupted("truncated", "it ended without its terminal event", said)
    return "".join(said)


def text_of(answer: object) -> str | None:
    """The text of an SDK's whole answer; ``None`` for anything else."""
    adapter = ADAPTERS.find(answer)
    if adapter is None:
        return None
    said: list[str] = []
    for event in adapter.decoder().decode(answer):
        _take(event, said)
    return "".join(said)


def _decoder(item: object) -> Decoder:
    adapter = ADAPTERS.find(item)
    if adapter is None:
        raise ADAPTERS.unknown(item, "an item of a task's stream")
    return adapter.decoder()


def _take(event: Event, said: list[str]) -> None:
    match event.type:
        case EventType.TOKEN:
            said.append(event.text)
        case EventType.RESTART:
            said.clear()
        case EventType.ERROR:
            raise _interrupted("in_band_error", event.text, said)


def _interrupted(reason: str, message: str, said: list[str]) -> StreamInterrupted:
    text = "".join(said)
    told = describe_break(reason, message, characters=len(text), attempts=1)
    return fill(StreamInterrupted(told), {"partial_text": text, "reason": reason})


async def _close(stream: Any) -> None:
    close = getattr(stream, "aclose", None) or getattr(stream, "close", None)
    if close is not None:
        closing = close()
        if inspect.isawaitable(closing):
            await closing
