"""One recorded attempt as a timeline, and the deadline that would end it first. Times are seconds since its request.

A limit on gaps ends an attempt at the first gap that is longer than the limit. A timeline therefore keeps only the gaps
that are longer than all before them, and one bisection finds the gap for any limit.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import inf
from typing import NamedTuple

from l0.model.failure import Cause, Failure
from l0.model.policy import Hold

_ROUNDING = 1e-6
"""Tolerance in seconds for an attempt that was cut short: if a deadline cut it, its end differs from the limit by
rounding errors."""


class Gap(NamedTuple):
    """A time without a read, or without content. It is longer than every earlier one. ``since``: its start."""

    seconds: float
    since: float


class Limits(NamedTuple):
    """The limits of one attempt, in seconds; ``inf`` for none.

    ``first``: until the first content. ``gap``: between content. ``liveness``: between reads. ``total``: what is left
    for the whole call.
    """

    first: float = inf
    gap: float = inf
    liveness: float = inf
    total: float = inf


class Expiry(NamedTuple):
    """The end of an attempt by a deadline. ``at``: the time."""

    at: float
    cause: Cause


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptTimeline:
    """The events of one request, and their times."""

    ends_at: float
    """The end of the attempt, or of its recording."""
    opened_at: float = inf
    """The arrival of the headers of a success; ``inf`` if none arrived."""
    early: Sequence[tuple[float, int]] = ()
    """The reads before the first content: the time of each, and the number of items so far."""
    content: Sequence[float] = ()
    """The times of the reads that brought content."""
    chars: Sequence[int] = ()
    """The number of characters of text after each read in ``content``."""
    gaps: Sequence[Gap] = ()
    """The longest gaps so far between content, and from the last content to the end."""
    read_gaps: Sequence[Gap] = ()
    """The longest gaps so far between the headers, the reads and the end."""
    accepted_at: float = inf
    """The first sign of an effect at the provider, such as a stored conversation; ``inf`` if there was none."""
    complete_at: float = inf
    """From here on the answer is certainly complete, even if the connection breaks."""
    missing: Cause | None = None
    """The reason why the answer is incomplete, although its body ended normally."""
    failure: Failure | None = None
    """The failure of the attempt; ``None`` if it did not fail."""
    cut_short: bool = False
    """L0 or the user ended the attempt, so the rest of it is unknown."""
    tokens: tuple[int, int] | None = None
    """Input and output tokens, as the provider states them; ``None`` if it states none."""
    resumable: bool = False
    """The answer can be resumed if it breaks."""

    @property
    def complete(self) -> bool:
        """True if the attempt brought a complete answer."""
        return self.missing is None and self.failure is None and not self.cut_short

    @property
    def first_content(self) -> float:
        """The time of the first content; ``inf`` if there was none."""
        return self.content[0] if self.content else inf

    @property
    def first_content_or_end(self) -> float:
        """The time of the first content, or of the end without any."""
        return self.content[0] if self.content else self.ends_at

    def expiry(self, limits: Limits) -> Expiry | None:
        """Return the deadline that ends the attempt; ``None`` if the attempt or its recording ends before any."""
        expiries: list[Expiry] = []
        slack = _ROUNDING if self.cut_short else 0.0
        if self.first_content_or_end > limits.first - slack:
            opened = self.opened_at <= limits.first
            expiries.append(Expiry(limits.first, Cause.FIRST_CONTENT_TIMEOUT if opened else Cause.NO_HEADERS))
        for gaps, limit, cause in (
            (self.gaps, limits.gap, Cause.STALLED),
            (self.read_gaps, limits.liveness, Cause.DEAD),
        ):
            if limit < inf and gaps and gaps[-1].seconds > limit - slack:
                longer = gaps[bisect_right(gaps, limit - slack, key=_seconds)]
                expiries.append(Expiry(longer.since + limit, cause))
        if self.ends_at >= limits.total - slack:  # the total is out at its limit, as in `Deadlines.passed_total`
            expiries.insert(0, Expiry(limits.total, Cause.TOTAL_TIMEOUT))  # of equal times, `min` returns the first
        return min(expiries, key=_time) if expiries else None

    def released_at(self, hold: Hold, window: int) -> float:
        """Return the time of the first delivery to the user; ``inf`` if nothing is delivered before the end.

        ``window``: the characters that ``hold="verified"`` holds back.
        """
        if hold.until == "message":
            return inf
        if hold.until == "verified":
            return self._past_window(window)
        first = min(self.first_content, self.accepted_at)
        first_item_at = next((at for at, items in self.early if items), inf)
        for at, items in self.early:
            if items and (items >= hold.frames or at - first_item_at >= hold.seconds):
                return min(at, first)
        return first

    def _past_window(self, window: int) -> float:
        """Return the time at which the window has moved past the first content."""
        if not self.content or not self.chars[0]:
            return self.first_content  # nothing, or content other than text, which waits for no window
        times = zip(self.content, self.chars, strict=True)
        return next((at for at, chars in times if chars >= self.chars[0] + window), inf)

    def tokens_until(self, at: float) -> int:
        """Return the tokens used until ``at``: none before the headers, after the end what the provider stated.

        Before the end, or if no tokens were stated: the stated input tokens (else 0), plus one per read with content.
        """
        stated = self.tokens or (0, 0)
        if self.opened_at > at:
            return 0
        return sum(stated) if at >= self.ends_at and self.tokens else stated[0] + bisect_right(self.content, at)


def longest_so_far(times: Sequence[float], program_s: Sequence[float] = ()) -> tuple[Gap, ...]:
    """Return the gaps between successive times that are longer than all before them.

    ``program_s``: for each time, the seconds spent in the user's program up to then; they are subtracted from the gap.
    By default, all are 0.
    """
    gaps: list[Gap] = []
    for (last, earlier_s), (at, later_s) in pairwise(zip(times, program_s or [0.0] * len(times), strict=True)):
        seconds = at - last - (later_s - earlier_s)
        if seconds > (gaps[-1].seconds if gaps else 0.0):
            gaps.append(Gap(seconds, at - seconds))  # as if the program had taken its time before the gap
    return tuple(gaps)


def _seconds(gap: Gap) -> float:
    return gap.seconds


def _time(expiry: Expiry) -> float:
    return expiry.at
