"""Make the response that litellm reads: a copy of the call's first response, with a body from the engine."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from types import ModuleType
from typing import Any

_CODED = frozenset({b"content-encoding", b"content-length", b"transfer-encoding"})
"""Headers that describe the encoding of the connection's bytes. The engine delivers decoded bytes."""


class _RelayedStream:
    """The body of a streamed answer. ``items``: the generator of its bytes."""

    def __init__(self, items: Iterator[bytes]) -> None:
        self._items = items

    def __iter__(self) -> Iterator[bytes]:
        return self._items

    def close(self) -> None:
        """End the call."""
        self._items.close()  # type: ignore[attr-defined]  # a generator


class _AsyncRelayedStream:
    """As `_RelayedStream`."""

    def __init__(self, items: AsyncIterator[bytes]) -> None:
        self._items = items

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._items

    async def aclose(self) -> None:
        """End the call."""
        await self._items.aclose()  # type: ignore[attr-defined]  # a generator


class RelayedResponses:
    """Makes responses of a transport. ``transport``: the module httpx, as litellm imported it."""

    def __init__(self, transport: ModuleType) -> None:
        self._make = transport.Response
        # httpx checks the base class of a stream, but is only imported with litellm, so the classes are made here.
        self._stream = type("RelayedStream", (_RelayedStream, transport.SyncByteStream), {})
        self._async_stream = type("AsyncRelayedStream", (_AsyncRelayedStream, transport.AsyncByteStream), {})

    def sync(self, response: Any, items: Iterator[bytes]) -> Any:
        """Return a response like ``response``, with the items as its body."""
        return self._like(response, self._stream(items))

    def asynchronous(self, response: Any, items: AsyncIterator[bytes]) -> Any:
        """As `sync`."""
        return self._like(response, self._async_stream(items))

    def _like(self, response: Any, stream: Any) -> Any:
        return self._make(
            response.status_code,
            headers=[(name, value) for name, value in response.headers.raw if name.lower() not in _CODED],
            stream=stream,
            request=response.request,
            extensions=response.extensions,
            history=response.history,
            default_encoding=response.default_encoding,
        )
