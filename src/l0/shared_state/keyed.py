"""Keep one shared value per key, created on first use. The number of keys is bounded."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from .forks import renew_in_child

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

Target = tuple[str, str]
"""Provider and model: the key of budgets and breakers."""

MAX_KEYS = 1024
"""Maximum number of keys. Model names come from requests, so their number must be bounded."""


class Keyed(Generic[K, V]):
    """A mapping that creates missing values. Beyond ``max_keys`` keys, it drops the one used least recently."""

    def __init__(self, make: Callable[[K], V], max_keys: int = MAX_KEYS) -> None:
        self._make = make
        self._max_keys = max_keys
        self.renew()
        renew_in_child(self)

    def renew(self) -> None:
        """Create a new lock, and drop every key. Calls that hold a value keep it."""
        self._lock = threading.RLock()
        self._values: dict[K, V] = {}

    def clear(self) -> None:
        """Drop every key. Calls that hold a value keep it."""
        with self._lock:
            self._values = {}

    def __getitem__(self, key: K) -> V:
        with self._lock:
            values = self._values
            value = values.pop(key) if key in values else self._make(key)
            values[key] = value  # move it to the end: dicts keep their order, so the first key is the oldest
            if len(values) > self._max_keys:
                self._dropped(values.pop(next(iter(values))))
            return value

    def _dropped(self, value: V) -> None:
        """Do nothing. A subclass may handle a value that was dropped for a new key. The lock is held."""

    def items(self) -> list[tuple[K, V]]:
        """Return all current keys and values."""
        with self._lock:
            return list(self._values.items())

    def __len__(self) -> int:
        return len(self._values)
