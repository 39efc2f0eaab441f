"""Iterate over the results of factories, and close them."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from functools import cache, partial
from typing import Any

from l0.migration import adapted
from l0.stainless.sdk_responses import read_deadline

from .adapters import ADAPTERS, Adapter
from .decoders import litellm_decoder

_WHERE = "what the stream factory returned"
_END = object()
_log = logging.getLogger("l0")
Release = Callable[[], Any]
"""A function that releases a source. In async code, its result may be awaitable."""


def iterator(source: Any, adapter: Adapter | None = None) -> Iterator[Any]:
    """Return the items of a source, in sync code. ``adapter``: that of the call. Raises `UnknownStreamError`."""
    if _complete(source, adapter):
        return iter((source,))
    if isinstance(source, Iterator) or _iterable(source):
        return litellm_decoder.provider_items(source) if litellm_decoder.is_wrapped(source) else iter(source)
    raise ADAPTERS.unknown(source, _WHERE)


def async_iterator(source: Any, adapter: Adapter | None = None) -> AsyncIterator[Any]:
    """Return the items of a source, in async code, as `iterator`. Raises `UnknownStreamError`."""
    if is_async(source):
        async_items: AsyncIterator[Any] = (
            litellm_decoder.ProviderItems(source) if litellm_decoder.is_wrapped(source) else source.__aiter__()
        )
        return async_items
    items = iterator(source, adapter)
    read_from = response(source)
    may_block = hasattr(read_from, "extensions") or (
        litellm_decoder.is_wrapped(source) and isinstance(source, Iterator)
    )
    return _in_thread(items, read_from) if may_block else _inline(items)


def is_async(source: Any) -> bool:
    """Return True if a source is async. litellm's streams have both interfaces, so the innermost stream decides."""
    *_, innermost = litellm_decoder.layers(source)
    return hasattr(innermost, "__aiter__")


def response(source: Any) -> Any:
    """Return the transport's response that a source reads from; ``None`` if the source does not expose it."""
    responses = (getattr(layer, "response", None) for layer in litellm_decoder.layers(source))
    return next((found for found in responses if found is not None), None)


async def _inline(items: Iterator[Any]) -> AsyncIterator[Any]:
    try:
        for item in items:
            yield item
    finally:
        close(items)


async def _in_thread(items: Iterator[Any], read_from: Any) -> AsyncIterator[Any]:
    """Yield the items of a sync SDK's stream, read on a thread, because waiting for the network would block the event
    loop. ``read_from``: the transport's response; ``None`` if it is not known."""
    try:
        while (item := await _next(items)) is not _END:
            yield item
    except asyncio.CancelledError:
        deadline = read_deadline(read_from) if read_from is not None else None
        if deadline is not None:  # end the read, or the thread would keep waiting
            deadline.fire()
        raise


async def _next(items: Iterator[Any]) -> Any:
    """Return the next item, read on a thread; on the event loop if no thread can be started."""
    claim: dict[str, str] = {}  # who reads the item: `setdefault` is atomic, so only one of the two does

    def read() -> Any:
        # An executor that cannot start a thread keeps the work, and one of its other threads may find it later.
        return next(items, _END) if claim.setdefault("by", "thread") == "thread" else _END

    try:
        return await asyncio.to_thread(read)
    except RuntimeError as error:  # the thread limit, or interpreter shutdown
        if claim.setdefault("by", "loop") == "thread":
            raise  # the source raised it
        _warn_unthreaded(str(error))
    return next(items, _END)


@cache
def _warn_unthreaded(reason: str) -> None:
    """Log, once per process, that sync sources block the event loop."""
    _log.warning("a sync source blocks the event loop while it is read until a thread can be started (%s)", reason)


def is_source(source: Any, adapter: Adapter | None = None) -> bool:
    """Return True if an object can be a stream, or can return a stream by ``await``, ``with`` or ``async with``."""
    asynchronous = ("__aiter__", "__aenter__", "__await__")
    is_opened = any(hasattr(source, name) for name in (*asynchronous, "__enter__"))
    return is_opened or _complete(source, adapter) or _iterable(source)


def _complete(source: Any, adapter: Adapter | None) -> bool:
    """Return True if a source is a whole answer, and not a stream of its parts. Checked before iteration, because an
    SDK's models are iterable, too: they yield their fields."""
    if isinstance(source, str):
        return True
    if isinstance(source, Iterator) or type(source) in (list, tuple):
        return False  # also if an adapter recognizes every object
    return (adapter is not None and adapter.recognizes(source)) or ADAPTERS.find(source) is not None


def _iterable(source: Any) -> bool:
    return hasattr(source, "__iter__") and not isinstance(source, bytes | bytearray | dict)


def enter(source: Any) -> tuple[Any, Release]:
    """Return the source to read, and the function that releases it. Some SDK helpers return the source only from
    ``with``."""
    if hasattr(source, "__enter__") and not hasattr(source, "__iter__"):
        return source.__enter__(), partial(source.__exit__, None, None, None)
    return source, partial(close, source)


async def aenter(source: Any) -> tuple[Any, Release]:
    """Return the same as `enter`, after awaiting the source if necessary. The release may have to be awaited, too."""
    if inspect.isawaitable(source):
        source = await source
    source = adapted(source)
    if hasattr(source, "__aiter__"):
        return source, partial(aclose, source)
    if hasattr(source, "__aenter__"):
        return await source.__aenter__(), partial(source.__aexit__, None, None, None)
    if hasattr(source, "__enter__") and not hasattr(source, "__iter__"):
        return enter(source)
    return source, partial(aclose, source)


def close(source: Any) -> None:
    """Release the resources of a source."""
    releases = (getattr(layer, "close", None) for layer in litellm_decoder.layers(source))
    release = next((found for found in releases if found), None)
    if release is not None:
        release()


async def aclose(source: Any) -> None:
    """Release the resources of a source, as `close`."""
    release = getattr(source, "aclose", None) or getattr(source, "close", None)
    if release is not None:
        done = release()
        if inspect.isawaitable(done):
            await done
