"""What a factory returned, as something to iterate over and to close."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Iterator
from typing import Any

from l0.patching.responses import watch

from .adapters import ADAPTERS

_WHERE = "what the stream factory returned"
_END = object()


def iterator(source: Any) -> Iterator[Any]:
    """The items of a source, in sync code. Raises `UnknownStreamError`."""
    if _whole(source):
        return iter((source,))
    if isinstance(source, Iterator) or _iterable(source):
        return iter(source)
    raise ADAPTERS.unknown(source, _WHERE)


def async_iterator(source: Any) -> AsyncIterator[Any]:
    """The items of a source, in async code. Raises `UnknownStreamError`."""
    if hasattr(source, "__aiter__"):
        found: AsyncIterator[Any] = source.__aiter__()
        return found
    items = iterator(source)
    response = getattr(source, "response", None)
    return _in_thread(items, response) if hasattr(response, "extensions") else _inline(items)


async def _inline(items: Iterator[Any]) -> AsyncIterator[Any]:
    for item in items:
        yield item


async def _in_thread(items: Iterator[Any], response: Any) -> AsyncIterator[Any]:
    """A sync SDK's stream waits for the network: it may not do so on the event loop."""
    try:
        while (item := await asyncio.to_thread(next, items, _END)) is not _END:
            yield item
    except asyncio.CancelledError:
        blocked = watch(response)
        if blocked is not None:  # the thread would wait on
            blocked.fire()
        raise


def _whole(source: Any) -> bool:
    """Whether a source is an answer in one piece. An SDK's models can be iterated over as well, for their fields."""
    return isinstance(source, str) or ADAPTERS.find(source) is not None


def _iterable(source: Any) -> bool:
    return hasattr(source, "__iter__") and not isinstance(source, bytes | bytearray | dict)


def enter(source: Any) -> Any:
    """What is to be read: some SDKs' helpers hand it out only by ``with``."""
    if hasattr(source, "__enter__") and not hasattr(source, "__iter__"):
        return source.__enter__()
    return source


async def aenter(source: Any) -> Any:
    """As `enter`, after awaiting what has to be awaited."""
    if inspect.isawaitable(source):
        source = await source
    if hasattr(source, "__aenter__") and not hasattr(source, "__aiter__"):
        return await source.__aenter__()
    return enter(source) if not hasattr(source, "__aiter__") else source


def close(source: Any) -> None:
    """Release what a source holds."""
    release = getattr(source, "close", None)
    if release is not None:
        release()


async def aclose(source: Any) -> None:
    """As `close`."""
    release = getattr(source, "aclose", None) or getattr(source, "close", None)
    if release is not None:
        done = release()
        if inspect.isawaitable(done):
            await done
