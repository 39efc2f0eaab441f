"""What is kept back from the user, and when it is handed over. Knows no machine: asked, it answers with frames."""

from __future__ import annotations

from collections import deque
from math import inf
from time import perf_counter
from typing import Any

from l0.model.policy import Hold
from l0.model.ports import Reader


class OutputBuffer:
    """The frames of one attempt that nobody has seen yet."""

    __slots__ = ("_behind", "_frames", "_hold", "_since", "_window", "lags")

    def __init__(self, hold: Hold, window: int) -> None:
        self._hold = hold
        self._window = window
        self._frames: list[Any] = []
        self._behind: deque[tuple[int, list[Any]]] = deque()
        self._since = inf
        self.lags = hold.until == "verified"
        """Whether text stays back even after the commit point, until the window has moved past it."""

    def restart(self) -> None:
        """Forget everything: the attempt is repeated."""
        self._frames = []
        self._behind.clear()
        self._since = inf

    def keep(self, items: list[Any]) -> None:
        """Frames whose fate is decided elsewhere."""
        self._frames += items

    def before(self, items: list[Any], reader: Reader, at: int, safe: int) -> list[Any]:
        """Before the commit point: what is due now that these came. The first frames that are due *are* that point.

        ``at``, ``safe``: as for `after`.
        """
        if items and self._since == inf:
            self._since = perf_counter()
        if self.lags:
            return self.after(items, reader, at, safe)
        self._frames += items
        hold = self._hold
        if not self._frames or hold.until == "message":
            return []
        if reader.content or reader.accepted or len(self._frames) >= hold.frames or self._long(hold.seconds):
            return self.flush()
        return []

    def after(self, items: list[Any], reader: Reader, at: int, safe: int) -> list[Any]:
        """Text that the window has moved past: ``items`` end ``at`` so many characters, of which ``safe`` were seen.

        Content that is no text (reasoning, a tool call) waits for the text before it alone.
        """
        self._behind.append((at, items))
        due: list[Any] = []
        while self._behind and (self._behind[0][0] + self._window <= safe or (not at and reader.content)):
            due += self._behind.popleft()[1]
        return due

    def flush(self) -> list[Any]:
        """All that is kept."""
        frames = [item for _, items in self._behind for item in items] + self._frames
        self._behind.clear()
        self._frames = []
        return frames

    def seconds(self, at: float) -> float:
        """How long the first frame has been kept."""
        return max(0.0, at - self._since) if self._since < inf else 0.0

    def _long(self, seconds: float) -> bool:
        return perf_counter() - self._since >= seconds
