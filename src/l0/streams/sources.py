"""What a factory returned, as something to iterate over and to close."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Iterator
from typing import Any

from l0.patching.responses import watch

from .adapters import ADAPTERS
from .providers import litellm

_WHERE = "what the stream factory returned"
_END = object()


def iterator(source: Any) -> Iterator[Any]:
    """The items of a source, in sync code. Raises `UnknownStreamError`."""
    if _whole(source):
        return iter((source,))
    if isinstance(source, Iterator) or _iterable(source):
        items = iter(source)
        if litellm.within(source) is None:
            return items
        return (item for item in items if not litellm.invented(source, item))
    raise ADAPTERS.unknown(source, _WHERE)


def async_iterator(source: Any) -> AsyncIterator[Any]:
    """The items of a source, in async code. Raises `UnknownStreamError`."""
    if hasattr(source, "__aiter__"):
        found: AsyncIterator[Any] = source.__aiter__()
        if litellm.within(source) is None:
            return found
        return (item async for item in found if not litellm.invented(source, item))
    items = iterator(source)
    below = response(source)
    return _in_thread(items, below) if hasattr(below, "extensions") else _inline(items)


def response(source: Any) -> Any:
    """The response of the transport that a source reads from; ``None`` where it does not show one."""
    found = getattr(source, "response", None)
    return found if found is not None else getattr(litellm.within(source), "response", None)


async def _inline(items: Iterator[Any]) -> AsyncIterator[Any]:
    for item in items:
        yield item


async def _in_thread(items: Iterator[Any], below: Any) -> AsyncIterator[Any]:
    """A sync SDK's stream waits for the network: it may not do so on the event loop."""
    try:
        while (item := await asyncio.to_thread(next, items, _END)) is not _END:
            yield item
    except asyncio.CancelledError:
        blocked = watch(below)
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
    release = getattr(source, "close", None) or getattr(litellm.within(source), "close", None)
    if release is not None:
        release()


async def aclose(source: Any) -> None:
    """As `close`."""
    release = getattr(source, "aclose", None) or getattr(source, "close", None)
    if release is not None:
        done = release()
        if inspect.isawaitable(done):
            await done
