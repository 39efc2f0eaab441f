"""Send new calls to the pages that are open, as server-sent events."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Sequence

from .api_contract import ListedCall, LiveMessage

MAX_CALLS = 200
"""Maximum number of calls in one message. A page that lags behind gets the newest ones."""
MAX_FEEDS = 32
"""Maximum number of open pages."""
INTERVAL_SECONDS = 0.25
"""Minimum time between two messages to a page."""
_SILENCE_SECONDS = 15.0
"""Time without a call after which the server sends a comment, so that it notices a lost connection."""


class LiveCalls:
    """The open feeds. `publish` may be called in any thread; everything else belongs to the event loop."""

    def __init__(self, interval_seconds: float = INTERVAL_SECONDS) -> None:
        self._interval = interval_seconds
        self._feeds: set[_Feed] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False

    @property
    def full(self) -> bool:
        """True if no further feed may be opened."""
        return len(self._feeds) >= MAX_FEEDS

    def publish(self, calls: Sequence[ListedCall]) -> None:
        """Queue calls for every feed."""
        if self._feeds and self._loop is not None:
            try:
                self._loop.call_soon_threadsafe(self._add, calls)
            except RuntimeError:  # the loop is closed
                self._feeds.clear()

    def close(self) -> None:
        """End every feed."""
        self._closed = True
        for feed in self._feeds:
            feed.changed.set()

    async def messages(self) -> AsyncIterator[bytes]:
        """Yield the messages of one feed until it is closed."""
        self._loop = asyncio.get_running_loop()
        feed = _Feed()
        self._feeds.add(feed)
        try:
            yield b": open\n\n"
            while not self._closed:
                try:
                    await asyncio.wait_for(feed.changed.wait(), _SILENCE_SECONDS)
                except TimeoutError:
                    yield b": waiting\n\n"
                    continue
                if feed.calls:
                    yield _encoded(feed.take())
                    await asyncio.sleep(self._interval)
        finally:
            self._feeds.discard(feed)

    def _add(self, calls: Sequence[ListedCall]) -> None:
        for feed in self._feeds:
            feed.add(calls)


class _Feed:
    """The calls that have not been sent to one page yet."""

    def __init__(self) -> None:
        self.calls: deque[ListedCall] = deque(maxlen=MAX_CALLS)
        self._omitted = 0
        self.changed = asyncio.Event()

    def add(self, calls: Sequence[ListedCall]) -> None:
        self._omitted += max(0, len(self.calls) + len(calls) - MAX_CALLS)
        self.calls.extend(calls)
        self.changed.set()

    def take(self) -> LiveMessage:
        message = LiveMessage(type="calls", calls=list(self.calls), omitted=self._omitted)
        self.calls.clear()
        self._omitted = 0
        self.changed.clear()
        return message


def _encoded(message: LiveMessage) -> bytes:
    return b"data: " + json.dumps(message).encode() + b"\n\n"
