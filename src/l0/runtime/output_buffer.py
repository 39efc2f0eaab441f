"""Hold frames back from the user, and decide when to deliver them. Independent of the state machine."""

from __future__ import annotations

from collections import deque
from math import inf
from time import perf_counter
from typing import Any

from l0.model.policy import Hold
from l0.model.ports import Reader


class OutputBuffer:
    """The frames of one attempt that have not been delivered."""

    __slots__ = ("_behind", "_frames", "_hold", "_since", "_window", "lags", "released")

    def __init__(self, hold: Hold, window: int) -> None:
        self._hold = hold
        self._window = window
        self._frames: list[Any] = []
        self._behind: deque[tuple[int, list[Any]]] = deque()
        self._since = inf
        self.lags = hold.until == "verified"
        """True if text is held even after the commit point, until the window has moved past it."""
        self.released = 0
        """The number of characters that the window has moved past."""

    def hold_all(self) -> None:
        """Hold everything until the end of the answer, from now on."""
        self._hold = Hold(until="message")
        self.lags = False

    def restart(self) -> None:
        """Drop all frames, because the attempt is retried."""
        self._frames = []
        self._behind.clear()
        self._since = inf
        self.released = 0

    def keep(self, items: list[Any]) -> None:
        """Hold frames; other code decides whether they are delivered."""
        self._frames += items

    def add_before_commit(self, items: list[Any], reader: Reader, at: int, checked: int) -> list[Any]:
        """Hold new frames before the commit point, and return those that are due, if any: then this is the commit
        point.

        ``at``, ``checked``: as for `add_after_commit`.
        """
        if items and self._since == inf:
            self._since = perf_counter()
        if self.lags:
            return self.add_after_commit(items, reader, at, checked)
        self._frames += items
        hold = self._hold
        if not self._frames or hold.until == "message":
            return []
        if reader.content or reader.accepted or len(self._frames) >= hold.frames or self._held_for(hold.seconds):
            return self.flush()
        return []

    def add_after_commit(self, items: list[Any], reader: Reader, at: int, checked: int) -> list[Any]:
        """Hold new frames, and return the frames that the window has moved past.

        ``at``: characters of the answer up to the end of ``items``. ``checked``: how many of them the rules have
        checked. Content other than text (reasoning, a tool call) only waits for the text before it.
        """
        self._behind.append((at, items))
        due: list[Any] = []
        while self._behind and (self._behind[0][0] + self._window <= checked or (not at and reader.content)):
            self.released, passed = self._behind.popleft()
            due += passed
        return due

    def flush(self) -> list[Any]:
        """Return all held frames."""
        frames = [item for _, items in self._behind for item in items] + self._frames
        self._behind.clear()
        self._frames = []
        return frames

    def held_s(self, at: float) -> float:
        """Return the seconds for which the first frame has been held."""
        return max(0.0, at - self._since) if self._since < inf else 0.0

    def _held_for(self, seconds: float) -> bool:
        return perf_counter() - self._since >= seconds
