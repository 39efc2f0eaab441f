"""The four clocks of a stream. Arithmetic only: somebody else says what time it is, and acts when a deadline passes.

They run only while the engine is reading, so that a slow consumer is no stall; ``total`` alone runs on.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Protocol

from l0.model.failure import Cause, Failure
from l0.model.policy import Timeout

_AWAITED = {
    Cause.NO_HEADERS: ("headers", "initial_token"),
    Cause.FIRST_CONTENT_TIMEOUT: ("first content", "initial_token"),
    Cause.STALLED: ("further content", "inter_token"),
    Cause.DEAD: ("sign of life", "liveness"),
    Cause.TOTAL_TIMEOUT: ("whole answer", "total"),
}
"""What did not come in time, and the field of `Timeout` that limits it, by cause."""
_BACKLOG = 0.1
"""Seconds of reading without content that are allowed after a limit: enough to read what piled up meanwhile."""
_LATE = 0.5
"""Seconds after a deadline from which on the message says how late it was noticed."""

Usual = Callable[[float | None], float | None]
"""Tightens a limit, in seconds, to what is usual here."""


def _unchanged(limit: float | None) -> float | None:
    return limit


class Clocks:
    """Deadlines of one call, in seconds of the monotonic clock."""

    __slots__ = (
        "_alive",
        "_began",
        "_content",
        "_first",
        "_first_limit",
        "_gap",
        "_left",
        "_live",
        "_progress",
        "_sending",
        "_since",
        "_total_at",
    )

    def __init__(self, timeout: Timeout, began: float) -> None:
        self._began = began
        self._first = self._first_limit = _seconds(timeout.initial_token)
        self._gap = _seconds(timeout.inter_token)
        self._live = _seconds(timeout.liveness)
        self._total_at = began + _seconds(timeout.total)
        self._left = inf
        self._content = False
        self._sending: Cause | None = None
        self._since: float | None = None
        self._progress = self._alive = inf

    def sending(
        self, at: float, usual: Usual = _unchanged, *, first: bool = True, cause: Cause = Cause.NO_HEADERS
    ) -> float:
        """A request is sent. Return the deadline of its headers, or of its whole answer; ``inf`` if there is none.

        ``first``: the limit for the first content applies; ``cause``: what it is a failure of to miss that.
        """
        self._limit(usual)
        self._progress = at + self._first_limit if first else inf
        self._alive = inf
        self._sending, self._since = cause, at
        return min(self._progress, self._total_at)

    def opened(self, started: float, at: float, usual: Usual = _unchanged) -> None:
        """An attempt that was sent at ``started`` has got its headers: that wait counts towards its first content."""
        self._limit(usual)
        self._left = self._first_limit - (at - started)
        self._content, self._sending = False, None
        self._since = None

    def _limit(self, usual: Usual) -> None:
        first = usual(self._first if self._first < inf else None)
        self._first_limit = inf if first is None else first

    def reading(self, at: float) -> float:
        """A read begins. The deadline of this read; ``inf`` for none."""
        self._since = at
        self._progress = at + self._left
        self._alive = at + self._live
        return min(self._progress, self._alive, self._total_at)

    def read(self, at: float, content: bool, since: float = 0.0) -> bool:
        """A read returned, with or without content; it began at ``since``. Return whether the call is out of time.

        Data that is there is read first: a limit that passed during a read leaves ``_BACKLOG`` for content that arrived
        behind it. A flood of frames without content, whose reads never wait, gets no more than that.
        """
        if content:
            self._left = self._gap
            self._content = True
        else:
            begun = since or (at if self._since is None else self._since)
            left = self._left - (at - begun)
            self._left = left if self._left <= 0 else max(left, 0.0)
        self._since = None
        return at >= self._total_at or self._left < -_BACKLOG

    def passed(self, at: float) -> bool:
        """Whether the deadline of the present read is over."""
        return at >= min(self._progress, self._alive, self._total_at)

    @property
    def unlimited(self) -> bool:
        """The whole call may take as long as it likes."""
        return self._total_at == inf

    @property
    def total_at(self) -> float:
        """The time at which the whole call is out of time; ``inf`` for never."""
        return self._total_at

    def passed_total(self, at: float) -> bool:
        """Return whether the whole call is out of time."""
        return at >= self._total_at

    def expired(self, at: float) -> Cause:
        """Which clock a deadline that passed belongs to."""
        if at >= self._total_at:
            return Cause.TOTAL_TIMEOUT
        if self._sending is not None:
            return self._sending
        if self._progress <= self._alive or self._left < 0:
            return Cause.STALLED if self._content else Cause.FIRST_CONTENT_TIMEOUT
        return Cause.DEAD

    def failure(self, at: float, cause: Cause | None = None) -> Failure:
        """What to say of a deadline that passed: the clock, its limit, and how late that was noticed."""
        cause = self.expired(at) if cause is None else cause
        awaited, field = _AWAITED[cause]
        due = {Cause.TOTAL_TIMEOUT: self._total_at, Cause.DEAD: self._alive}.get(cause, self._progress)
        limits = {
            Cause.TOTAL_TIMEOUT: self._total_at - self._began,
            Cause.DEAD: self._live,
            Cause.STALLED: self._gap,
        }
        limit = limits.get(cause, self._first_limit)
        adapted = field == "initial_token" and limit != self._first
        clock = "what is usual here, Policy.adaptive" if adapted else f"Timeout.{field}"
        message = f"no {awaited} within {1000 * limit:,.0f} ms ({clock})"
        late = 0.0 if self._since is None else at - max(due, self._since)
        if late > _LATE:  # nothing could end the wait
            message += f"; noticed {late:.1f} s later"
        return Failure(cause=cause, message=message)


def _seconds(milliseconds: float | None) -> float:
    return inf if milliseconds is None else milliseconds / 1000


class Deadlines(Protocol):
    """What says how long a read may take: `Clocks`, or a fixed time."""

    def reading(self, at: float, /) -> float:
        """A read begins. Return its deadline; ``inf`` for none."""
        ...


class Fixed:
    """One deadline, whenever a read begins."""

    __slots__ = ("_deadline",)

    def __init__(self, deadline: float) -> None:
        self._deadline = deadline

    def reading(self, _: float, /) -> float:
        """The deadline."""
        return self._deadline
