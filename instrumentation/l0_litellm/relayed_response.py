"""Make the response that litellm reads: a copy of the call's first response, with a body from the engine."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Iterator
from functools import partial
from types import ModuleType
from typing import Any

from l0.runtime.call_runtime import CallRuntime
from l0.runtime.close_on_loop import close_on_loop, current_loop

from .post_senders import AsyncRelayedBody, RelayedBody

_CODED = frozenset({b"content-encoding", b"content-length", b"transfer-encoding"})
"""Headers that describe the encoding of the connection's bytes. The engine delivers decoded bytes."""


class _RelayedStream:
    """The body of a streamed answer. ``items``: the generator of its bytes, which ends the call once it is read.

    The body keeps a mark of its own that nobody has read: a garbage collection may close the generator first.
    """

    def __init__(self, items: Iterator[bytes], runtime: CallRuntime, body: RelayedBody) -> None:
        self._items: Any = items
        self._runtime = runtime
        self._body = body
        self._unread = True

    def __iter__(self) -> Iterator[bytes]:
        self._unread = False
        return self._items  # type: ignore[no-any-return]

    def close(self) -> None:
        """End the call."""
        unread, self._unread = self._unread, False
        self._items.close()
        if unread:
            self._runtime.close()
            self._body.close()

    def __del__(self) -> None:
        if self._unread and not sys.is_finalizing():
            self._runtime.abandon(self._body.close)


class _AsyncRelayedStream:
    """As `_RelayedStream`."""

    def __init__(self, items: AsyncIterator[bytes], runtime: CallRuntime, body: AsyncRelayedBody) -> None:
        self._items: Any = items
        self._runtime = runtime
        self._body = body
        self._loop = current_loop()
        self._unread = True

    def __aiter__(self) -> AsyncIterator[bytes]:
        self._unread = False
        return self._items  # type: ignore[no-any-return]

    async def aclose(self) -> None:
        """End the call."""
        unread, self._unread = self._unread, False
        await self._items.aclose()
        if unread:
            self._runtime.close()
            await self._body.close()

    def __del__(self) -> None:
        if self._unread and not sys.is_finalizing():
            self._runtime.abandon(partial(close_on_loop, self._loop, self._body.close))


class RelayedResponses:
    """Makes responses of a transport. ``transport``: the module httpx, as litellm imported it."""

    def __init__(self, transport: ModuleType) -> None:
        self._make = transport.Response
        # httpx checks the base class of a stream, but is only imported with litellm, so the classes are made here.
        self._stream = type("RelayedStream", (_RelayedStream, transport.SyncByteStream), {})
        self._async_stream = type("AsyncRelayedStream", (_AsyncRelayedStream, transport.AsyncByteStream), {})

    def sync(self, response: Any, items: Iterator[bytes], runtime: CallRuntime, body: RelayedBody) -> Any:
        """Return a response like ``response``, with the items as its body."""
        return self._like(response, self._stream(items, runtime, body))

    def asynchronous(
        self, response: Any, items: AsyncIterator[bytes], runtime: CallRuntime, body: AsyncRelayedBody
    ) -> Any:
        """As `sync`."""
        return self._like(response, self._async_stream(items, runtime, body))

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
