"""Read the streams of tasks to their end, and get the text of complete answers."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Iterator
from typing import Any

from l0.model.errors import StreamInterrupted, describe_attempts, describe_break, fill
from l0.stainless.sdk_responses import runtime_of
from l0.streams import sources
from l0.streams.adapters import ADAPTERS, Decoder
from l0.streams.stream import Stream
from l0.streams.stream_events import Event, EventType, ToolCall

_OTHER_CONTENT = (EventType.TOOL_CALL, EventType.MESSAGE, EventType.DATA)


def is_stream(value: object) -> bool:
    """Return True for an async iterator, a helper's async context manager, or a sync iterator."""
    return hasattr(value, "__aiter__") or _is_manager(value) or isinstance(value, Iterator)


def _is_sync(value: object) -> bool:
    return isinstance(value, Iterator) and not sources.is_async(value)


def _is_manager(value: object) -> bool:
    # The SDKs' streams also have `__aenter__`; only their stream helpers must be entered before they can be read.
    return hasattr(value, "__aenter__") and not hasattr(value, "__aiter__") and hasattr(value, "__aexit__")


async def read(stream: Any) -> str:
    """Read a stream to its end and return its text. Close the stream in any case.

    Raises the exception of the stream; `l0.StreamInterrupted` if it ends early or reports an error event without an
    exception; `TypeError` for a sync stream.
    """
    if _is_sync(stream):
        close = getattr(stream, "close", None)
        if close is not None:
            close()
        kind = type(stream)
        raise TypeError(
            f"a task returned a sync stream ({kind.__module__}.{kind.__qualname__}), which would block other tasks: "
            "use the async client of the SDK, or return options of l0(...) with `stream`"
        )
    if _is_manager(stream):
        async with stream as entered:
            return await read(entered)
    if isinstance(stream, Stream):
        return await _read_l0_stream(stream)
    _hold_answer(stream)
    try:
        return await _text(sources.async_iterator(stream))
    finally:
        await _close(stream)


def _hold_answer(stream: Any) -> None:
    """Let the engine of a patched SDK retry the answer at any point: nobody sees a part of it."""
    response = sources.response(stream) or getattr(stream, "_response", None)  # openai's stream helpers
    runtime = runtime_of(response) if response is not None else None
    if runtime is not None:
        runtime.answer.buffer.hold_all()


async def _read_l0_stream(stream: Stream) -> str:
    async with stream:
        return await stream.read()


async def _text(items: AsyncIterator[Any]) -> str:
    decoder: Decoder | None = None
    parts: list[str] = []
    async for item in items:
        if isinstance(item, str):
            parts.append(item)
            continue
        decoder = decoder or _decoder(item)
        for event in decoder.decode(item):
            _apply(event, parts)
    if decoder is not None and decoder.is_complete() is False:
        raise _interrupted("truncated", "the stream ended without its terminal event", parts)
    return "".join(parts)


def text_of(answer: object) -> str | None:
    """Return the text of a complete answer of an SDK.

    ``None`` for any other object, and for an answer whose content is not text, such as a tool call.
    """
    events = _events_of(answer)
    if events is None:
        return None
    parts: list[str] = []
    for event in events:
        _apply(event, parts)
    text = "".join(parts)
    return None if not text and any(event.type in _OTHER_CONTENT for event in events) else text


def tool_calls_of(answer: object) -> list[ToolCall]:
    """Return the tool calls of a complete answer of an SDK; none for any other object."""
    return [event.data for event in _events_of(answer) or () if event.type is EventType.TOOL_CALL]


def _events_of(answer: object) -> list[Event] | None:
    adapter = ADAPTERS.find(answer)
    return None if adapter is None else list(adapter.decoder().decode(answer))


def _decoder(item: object) -> Decoder:
    adapter = ADAPTERS.find(item)
    if adapter is None:
        raise ADAPTERS.unknown(item, "an item of a task's stream")
    return adapter.decoder()


def _apply(event: Event, parts: list[str]) -> None:
    match event.type:
        case EventType.TOKEN:
            parts.append(event.text)
        case EventType.RESTART:
            parts.clear()
        case EventType.ERROR:
            raise _interrupted("in_band_error", event.text, parts)


def _interrupted(reason: str, message: str, parts: list[str]) -> StreamInterrupted:
    text = "".join(parts)
    description = describe_break(reason, message, characters=len(text), ending=describe_attempts(1))
    return fill(StreamInterrupted(description), {"partial_text": text, "reason": reason})


async def _close(stream: Any) -> None:
    close = getattr(stream, "aclose", None) or getattr(stream, "close", None)
    if close is not None:
        closing = close()
        if inspect.isawaitable(closing):
            await closing
