"""Hold items back from the user, and decide when to deliver them. Independent of the state machine."""

from __future__ import annotations

from collections import deque
from math import inf
from time import perf_counter
from typing import Any

from l0.engine.signals import EarlyRelease
from l0.model.policy import Hold
from l0.model.ports import Reader


class OutputBuffer:
    """The items of one attempt that have not been delivered.

    ``window``: for ``hold="verified"``, the number of checked characters that are still held.
    """

    __slots__ = (
        "_content_since",
        "_delivered_since",
        "_held",
        "_hold",
        "_lagging",
        "_since",
        "_window",
        "early_release",
        "holds_after_commit",
        "released",
    )

    def __init__(self, hold: Hold, window: int) -> None:
        self._hold = hold
        self._window = window
        self._held: list[Any] = []
        self._lagging: deque[tuple[int, list[Any], float]] = deque()
        """Items that the window has not moved past, each list with the number of characters up to its end, and the time
        at which it came; ``inf`` before content."""
        self._since = inf
        """The time at which the first item was held; ``inf`` before."""
        self._content_since = self._delivered_since = inf
        """The time since which content is held, and since which the items delivered last were; ``inf`` for none."""
        self.holds_after_commit = hold.until == "verified"
        """True if text is held even after the commit point, until the window has moved past it."""
        self.released = 0
        """The number of characters that the window has moved past."""
        self.early_release: EarlyRelease | None = None
        """Why items were released before content arrived; ``None`` if they were not."""

    def hold_all(self) -> None:
        """Hold everything until the end of the answer, from now on."""
        self._hold = Hold(until="message")
        self.holds_after_commit = False

    def clear(self) -> None:
        """Drop all items, before another attempt or for good."""
        self._held = []
        self._lagging.clear()
        self._since = self._content_since = self._delivered_since = inf
        self.released = 0

    def carry_over(self, chars: int) -> None:
        """Keep all items for the attempt that resumes the answer: they are still not verified.

        ``chars``: characters of the answer up to the end of the items.
        """
        if self._held:
            self._lagging.append((chars, self._held, perf_counter()))
            self._held = []

    def keep(self, items: list[Any]) -> None:
        """Hold items until `flush` or `clear`."""
        self._held += items

    def add_before_commit(self, items: list[Any], reader: Reader) -> list[Any]:
        """Hold new items before the commit point. Return those that are due. If any are, this is the commit point."""
        if items and self._since == inf:
            self._since = perf_counter()
        if self._content_since == inf and (reader.content or reader.other):
            self._content_since = perf_counter()
        self._held += items
        hold = self._hold
        if not self._held or hold.until == "message":
            return []
        if reader.content:
            return self.flush()
        if reader.accepted:
            self.early_release = "accepted"
        elif len(self._held) >= hold.frames:
            self.early_release = "frames"
        elif self._held_for(hold.seconds):
            self.early_release = "seconds"
        else:
            return []
        return self.flush()

    def add_to_window(self, items: list[Any], reader: Reader, chars: int, checked: int) -> list[Any]:
        """Hold new items, and return those that the window has moved past. The first ones are the commit point.

        ``chars``: characters of the answer up to the end of ``items``. ``checked``: how many of them the rules have
        checked. Content other than text (reasoning, a tool call) only waits for the text before it.
        """
        has_content = reader.content or reader.other
        self._lagging.append((chars, items, perf_counter() if has_content else inf))
        due: list[Any] = []
        self._delivered_since = inf
        while self._lagging:
            upto, passed, came_at = self._lagging[0]
            no_text = not upto and not chars and reader.content
            if not no_text and upto + self._window > checked:
                break
            self._lagging.popleft()
            self.released = max(self.released, upto)  # an exact replay counts from 0 again
            self._delivered_since = min(self._delivered_since, came_at)
            due += passed
        return due

    @property
    def holds_items(self) -> bool:
        """True if items have not been delivered."""
        return bool(self._held or self._lagging)

    @property
    def holds_message(self) -> bool:
        """True if only a complete answer may be delivered."""
        return self._hold.until == "message"

    def flush(self) -> list[Any]:
        """Return all held items."""
        held = [item for _, items, _ in self._lagging for item in items] + self._held
        self._delivered_since = min(self._content_since, *[came_at for _, _, came_at in self._lagging], inf)
        self._content_since = inf
        self._lagging.clear()
        self._held = []
        return held

    def held_s(self, at: float) -> float:
        """Return the seconds for which content was held of the items that were delivered last, at the time ``at``."""
        return max(0.0, at - self._delivered_since) if self._delivered_since < inf else 0.0

    def _held_for(self, seconds: float) -> bool:
        return perf_counter() - self._since >= seconds
