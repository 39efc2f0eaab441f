"""What a factory returned, as something to iterate over and to close."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from typing import Any

from l0.stainless.sdk_responses import read_deadline

from .adapters import ADAPTERS
from .decoders import litellm_decoder

_WHERE = "what the stream factory returned"
_END = object()
Release = Callable[[], Any]


def iterator(source: Any) -> Iterator[Any]:
    """The items of a source, in sync code. Raises `UnknownStreamError`."""
    if _whole(source):
        return iter((source,))
    if isinstance(source, Iterator) or _iterable(source):
        return litellm_decoder.said(source) if litellm_decoder.is_wrapped(source) else iter(source)
    raise ADAPTERS.unknown(source, _WHERE)


def async_iterator(source: Any) -> AsyncIterator[Any]:
    """The items of a source, in async code. Raises `UnknownStreamError`."""
    if is_async(source):
        found: AsyncIterator[Any] = (
            litellm_decoder.Said(source) if litellm_decoder.is_wrapped(source) else source.__aiter__()
        )
        return found
    items = iterator(source)
    below = response(source)
    waits = hasattr(below, "extensions") or (litellm_decoder.is_wrapped(source) and isinstance(source, Iterator))
    return _in_thread(items, below) if waits else _inline(items)


def is_async(source: Any) -> bool:
    """Whether a source is an async one. Of litellm's all look as if they were: what is inside tells."""
    *_, innermost = litellm_decoder.layers(source)
    return hasattr(innermost, "__aiter__")


def response(source: Any) -> Any:
    """The response of the transport that a source reads from; ``None`` where it does not show one."""
    return next(
        (found for one in litellm_decoder.layers(source) if (found := getattr(one, "response", None)) is not None), None
    )


async def _inline(items: Iterator[Any]) -> AsyncIterator[Any]:
    for item in items:
        yield item


async def _in_thread(items: Iterator[Any], below: Any) -> AsyncIterator[Any]:
    """A sync SDK's stream waits for the network: it may not do so on the event loop."""
    try:
        while (item := await asyncio.to_thread(next, items, _END)) is not _END:
            yield item
    except asyncio.CancelledError:
        blocked = read_deadline(below) if below is not None else None
        if blocked is not None:  # the thread would wait on
            blocked.fire()
        raise


def _whole(source: Any) -> bool:
    """Whether a source is an answer in one piece. An SDK's models can be iterated over as well, for their fields."""
    return isinstance(source, str) or ADAPTERS.find(source) is not None


def _iterable(source: Any) -> bool:
    return hasattr(source, "__iter__") and not isinstance(source, bytes | bytearray | dict)


def enter(source: Any) -> tuple[Any, Release]:
    """What is to be read, and how it is released: some SDKs' helpers hand it out only by ``with``."""
    if hasattr(source, "__enter__") and not hasattr(source, "__iter__"):
        return source.__enter__(), partial(source.__exit__, None, None, None)
    return source, partial(close, source)


async def aenter(source: Any) -> tuple[Any, Release]:
    """As `enter`, after awaiting what has to be awaited. To release it may have to be awaited, too."""
    if inspect.isawaitable(source):
        source = await source
    if hasattr(source, "__aiter__"):
        return source, partial(aclose, source)
    if hasattr(source, "__aenter__"):
        return await source.__aenter__(), partial(source.__aexit__, None, None, None)
    if hasattr(source, "__enter__") and not hasattr(source, "__iter__"):
        return enter(source)
    return source, partial(aclose, source)


def close(source: Any) -> None:
    """Release what a source holds."""
    release = next((found for one in litellm_decoder.layers(source) if (found := getattr(one, "close", None))), None)
    if release is not None:
        release()


async def aclose(source: Any) -> None:
    """As `close`."""
    release = getattr(source, "aclose", None) or getattr(source, "close", None)
    if release is not None:
        done = release()
        if inspect.isawaitable(done):
            await done
