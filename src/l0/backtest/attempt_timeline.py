"""One recorded attempt as a timeline, and the deadline that would end it first. Times are seconds since its request.

A limit on gaps ends an attempt at the first gap that is longer. That gap is longer than all before it, so a timeline
keeps these only: a limit takes one bisection, however many reads there were.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import inf
from typing import NamedTuple

from l0.model.failure import Cause, Failure
from l0.model.policy import Hold

_ROUNDING = 1e-6
"""Seconds. A deadline ended a censored attempt at its limit, but for the rounding of sums of times."""


class Gap(NamedTuple):
    """A time without a read, or without content. It is longer than every earlier one. ``since``: its start."""

    seconds: float
    since: float


class Limits(NamedTuple):
    """The limits of one attempt, in seconds; ``inf`` for none. ``total``: what is left for the whole call."""

    first: float = inf
    gap: float = inf
    liveness: float = inf
    total: float = inf


class Expiry(NamedTuple):
    """The end of an attempt by a deadline."""

    at: float
    cause: Cause


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptTimeline:
    """The events of one request, and their times.

    ``opened_at``: the headers of a success; ``inf`` if none came. ``early``: reads before the first content, each with
    the items so far. ``content``: times of the reads that brought content; ``chars``: the characters after each.
    ``gaps``: between content, and to the end. ``read_gaps``: between any reads. ``accepted_at``: the provider showed an
    effect. ``complete_at``: from here on the answer is certainly complete. ``ends_at``: its end.

    ``missing``: why the ended answer is incomplete. ``failure``: how it failed. ``censored``: L0 or the user ended it,
    so the rest is unknown. An attempt with none of the three brought a complete answer. ``tokens``: input and
    output, as stated. ``resumable``: the answer can be resumed if it breaks.
    """

    ends_at: float
    opened_at: float = inf
    early: Sequence[tuple[float, int]] = ()
    content: Sequence[float] = ()
    chars: Sequence[int] = ()
    gaps: Sequence[Gap] = ()
    read_gaps: Sequence[Gap] = ()
    accepted_at: float = inf
    complete_at: float = inf
    missing: Cause | None = None
    failure: Failure | None = None
    censored: bool = False
    tokens: tuple[int, int] | None = None
    resumable: bool = False

    @property
    def first_content(self) -> float:
        """The time of the first content; ``inf`` if there was none."""
        return self.content[0] if self.content else inf

    @property
    def quiet_until(self) -> float:
        """The time of the first content, or of the end without any."""
        return self.content[0] if self.content else self.ends_at

    def expiry(self, limits: Limits) -> Expiry | None:
        """Return the deadline that ends the attempt; ``None`` if it ends, or its recording ends, before any."""
        found: list[Expiry] = []
        slack = _ROUNDING if self.censored else 0.0
        if self.quiet_until > limits.first - slack:
            opened = self.opened_at <= limits.first
            found.append(Expiry(limits.first, Cause.FIRST_CONTENT_TIMEOUT if opened else Cause.NO_HEADERS))
        for gaps, limit, cause in (
            (self.gaps, limits.gap, Cause.STALLED),
            (self.read_gaps, limits.liveness, Cause.DEAD),
        ):
            if limit < inf and gaps and gaps[-1].seconds > limit - slack:
                longer = gaps[bisect_right(gaps, limit - slack, key=_seconds)]
                found.append(Expiry(longer.since + limit, cause))
        if self.ends_at >= limits.total - slack:
            found.insert(0, Expiry(limits.total, Cause.TOTAL_TIMEOUT))
        return min(found, key=_time) if found else None

    def released_at(self, hold: Hold, window: int) -> float:
        """Return the time of the first delivery to the user; ``inf`` if nothing is delivered before the end."""
        if hold.until == "message":
            return inf
        if hold.until == "verified":
            return self._past_window(window)
        first = min(self.first_content, self.accepted_at)
        since = next((at for at, items in self.early if items), inf)
        for at, items in self.early:
            if items and (items >= hold.frames or at - since >= hold.seconds):
                return min(at, first)
        return first

    def _past_window(self, window: int) -> float:
        """Return the time at which the window has moved past the first content."""
        if not self.content or not self.chars[0]:
            return self.first_content
        place = next((n for n, chars in enumerate(self.chars) if chars >= self.chars[0] + window), None)
        return inf if place is None else self.content[place]

    def tokens_by(self, at: float) -> int:
        """Return the tokens used by the time ``at``: those stated by a complete answer; else the pieces that came."""
        stated = self.tokens or (0, 0)
        if self.opened_at > at:
            return 0
        return sum(stated) if at >= self.ends_at and self.tokens else stated[0] + bisect_right(self.content, at)


def longest_so_far(times: Iterable[float]) -> tuple[Gap, ...]:
    """Return the gaps between successive times that are longer than all before."""
    found: list[Gap] = []
    last: float | None = None
    for at in times:
        if last is not None and at - last > (found[-1].seconds if found else 0.0):
            found.append(Gap(at - last, last))
        last = at
    return tuple(found)


def _seconds(gap: Gap) -> float:
    return gap.seconds


def _time(expiry: Expiry) -> float:
    return expiry.at
