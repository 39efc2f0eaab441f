"""The four clocks of a stream. Arithmetic only: somebody else says what time it is, and acts when a deadline passes.

They run only while the engine is reading, so that a slow consumer is no stall; ``total`` alone runs on.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf

from l0.values.failures import TIMEOUT_CAUSES, Cause
from l0.values.policy import Timeout

AWAITED = {cause.value: "answer" for cause in TIMEOUT_CAUSES} | {
    "first_content_timeout": "first content",
    "stalled": "further content",
    "dead": "sign of life",
    "total_timeout": "whole answer",
}
"""What was waited for in vain, by the cause that says so."""


class Clocks:
    """Deadlines of one call, in seconds of the monotonic clock."""

    __slots__ = ("_alive", "_content", "_first", "_gap", "_left", "_live", "_progress", "_since", "_total_at")

    def __init__(self, timeout: Timeout, began: float) -> None:
        self._first = _seconds(timeout.initial_token)
        self._gap = _seconds(timeout.inter_token)
        self._live = _seconds(timeout.liveness)
        self._total_at = began + _seconds(timeout.total)
        self._left = inf
        self._content = False
        self._since: float | None = None
        self._progress = self._alive = inf

    def opened(
        self, started: float, at: float, usual: Callable[[float | None], float | None] = lambda limit: limit
    ) -> None:
        """An attempt that was sent at ``started`` has got its headers: that wait counts towards its first content.

        ``usual`` may tighten the limit, in seconds, to what is usual here.
        """
        first = usual(self._first if self._first < inf else None)
        self._left = (inf if first is None else first) - (at - started)
        self._content = False

    def reading(self, at: float) -> float:
        """A read begins. The deadline of this read; ``inf`` for none."""
        self._since = at
        self._progress = at + self._left
        self._alive = at + self._live
        return min(self._progress, self._alive, self._total_at)

    def read(self, at: float, content: bool) -> None:
        """A read returned, with or without content. One that did not have to wait took no time."""
        if content:
            self._left = self._gap
            self._content = True
        elif self._since is not None:
            self._left -= at - self._since
        self._since = None

    def passed(self, at: float) -> bool:
        """Whether the deadline of the present read is over."""
        return at >= min(self._progress, self._alive, self._total_at)

    def expired(self, at: float) -> Cause:
        """Which clock a deadline that passed belongs to."""
        if at >= self._total_at:
            return Cause.TOTAL_TIMEOUT
        if self._progress <= self._alive:
            return Cause.STALLED if self._content else Cause.FIRST_CONTENT_TIMEOUT
        return Cause.DEAD


def _seconds(milliseconds: float | None) -> float:
    return inf if milliseconds is None else milliseconds / 1000
