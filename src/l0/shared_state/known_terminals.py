"""Remember which origins end their streams with a terminal event: a stream of theirs without one is broken."""

from __future__ import annotations

import threading

from .forks import renew_in_child


class Terminals:
    """The (origin, dialect) pairs that have sent a terminal event. Beyond ``most`` pairs the oldest is dropped."""

    def __init__(self, most: int = 1024) -> None:
        self._most = most
        self._seen: dict[tuple[str, str], None] = {}
        self.renew()
        renew_in_child(self)

    def renew(self) -> None:
        """Create a new lock. The pairs stay: writing one is atomic, so none can be half written."""
        self._lock = threading.RLock()

    def add(self, origin: str, dialect: str) -> None:
        """Record that this origin has sent the terminal event of this dialect."""
        key = (origin, dialect)
        if key in self._seen:
            return
        with self._lock:
            while len(self._seen) >= self._most:
                self._seen.pop(next(iter(self._seen)), None)
            self._seen[key] = None

    def known(self, origin: str, dialect: str) -> bool:
        """Return True if this origin has ever sent the terminal event of this dialect. Takes no lock."""
        return (origin, dialect) in self._seen
