"""One shared thing per key, made when it is first asked for, and no more of them than a bound."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from .forks import renew_in_child

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

Target = tuple[str, str]
"""Provider and model: what budgets and breakers are kept for."""

MOST = 1024
"""Keys that are remembered. Model names come from requests, so they cannot be allowed to grow without end."""


class Keyed(Generic[K, V]):
    """``shared[key]`` makes what is missing; beyond ``most`` the one that was asked for longest ago is forgotten."""

    def __init__(self, make: Callable[[K], V], most: int = MOST) -> None:
        self._make = make
        self._most = most
        self.renew()
        renew_in_child(self)

    def renew(self) -> None:
        """Forget every key. Calls that hold a value keep it."""
        self._lock = threading.RLock()
        self._values: dict[K, V] = {}

    def __getitem__(self, key: K) -> V:
        with self._lock:
            values = self._values
            value = values.pop(key) if key in values else self._make(key)
            values[key] = value  # last: a dict keeps its order, so the first is the one to forget
            if len(values) > self._most:
                values.pop(next(iter(values)), None)
            return value

    def items(self) -> list[tuple[K, V]]:
        """All that are remembered, at this moment."""
        with self._lock:
            return list(self._values.items())

    def __len__(self) -> int:
        return len(self._values)
