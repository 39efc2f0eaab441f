"""Which origins are known to end their streams properly, so that a stream without a terminal event is a broken one."""

from __future__ import annotations

import threading

from .forks import renew_in_child


class Terminals:
    """Remembers (origin, dialect) pairs that have sent a terminal event. Bounded: the oldest is forgotten first."""

    def __init__(self, most: int = 1024) -> None:
        self._most = most
        self._seen: dict[tuple[str, str], None] = {}
        self.renew()
        renew_in_child(self)

    def renew(self) -> None:
        """A new lock. What is known stays: a pair is there or is not, never half."""
        self._lock = threading.RLock()

    def add(self, origin: str, dialect: str) -> None:
        """This origin has just ended a stream of this dialect as it should."""
        key = (origin, dialect)
        if key in self._seen:
            return
        with self._lock:
            while len(self._seen) >= self._most:
                self._seen.pop(next(iter(self._seen)), None)
            self._seen[key] = None

    def known(self, origin: str, dialect: str) -> bool:
        """Whether it ever did."""
        return (origin, dialect) in self._seen
