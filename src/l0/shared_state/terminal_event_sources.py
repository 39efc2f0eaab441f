"""Remember which sources end streams with a terminal event: a stream of theirs that ends without one is broken.

A gateway serves models that end their streams properly beside models that do not, so the origin alone is not enough.
"""

from __future__ import annotations

import threading
from typing import NamedTuple

from .forks import renew_in_child


class StreamSource(NamedTuple):
    """The sender of a stream. ``base_url``: host, port and path of the client's base URL."""

    base_url: str
    dialect: str
    model: str


class TerminalEventSources:
    """The sources that have sent a terminal event. Beyond ``max_sources`` of them the oldest is dropped."""

    def __init__(self, max_sources: int = 1024) -> None:
        self._max_sources = max_sources
        self._seen: dict[StreamSource, None] = {}
        self.renew()
        renew_in_child(self)

    def renew(self) -> None:
        """Create a new lock. The sources stay: adding one is atomic, so none can be half written."""
        self._lock = threading.RLock()

    def add(self, source: StreamSource) -> None:
        """Record that this source has sent the terminal event of its dialect."""
        if source in self._seen:
            return
        with self._lock:
            while len(self._seen) >= self._max_sources:
                self._seen.pop(next(iter(self._seen)), None)
            self._seen[source] = None

    def known(self, source: StreamSource) -> bool:
        """Return True if this source has ever sent the terminal event of its dialect. Takes no lock."""
        return source in self._seen
