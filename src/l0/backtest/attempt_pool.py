"""The recorded attempts from which attempts that were not recorded are drawn."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from hashlib import blake2b
from typing import NamedTuple

from l0.model.failure import Cause
from l0.model.policy import ResumeMode

from .attempt_timeline import AttemptTimeline

FEWEST = 5
"""Comparable attempts of other calls without which nothing is drawn."""
_OF_THE_REQUEST = frozenset({Cause.BAD_REQUEST, Cause.CONTEXT_LENGTH, Cause.LOCAL, Cause.INTERNAL, Cause.DIVERGED})
"""Failures that show something about their own request only."""
_SPAN_BITS = 64


class UnknownError(Exception):
    """The recordings do not show what would have happened. The message says what is missing."""


class AttemptSource(NamedTuple):
    """The properties that make attempts comparable.

    ``host``: of the provider, with its port. ``hour``: since the epoch.
    """

    host: str
    model: str
    dialect: str
    streaming: bool
    resume: ResumeMode | None
    hour: int


class Donor(NamedTuple):
    """A recorded attempt, and the number of its call."""

    call: int
    timeline: AttemptTimeline


def uniform(seed: int, *place: object) -> float:
    """Return a number in [0, 1) that depends only on the seed and the place: the same under every policy."""
    digest = blake2b(repr((seed, *place)).encode(), digest_size=_SPAN_BITS // 8).digest()
    return int.from_bytes(digest) / 2.0**_SPAN_BITS


class AttemptPool:
    """All recorded attempts, by source.

    An attempt whose recording was cut off before its first content counts for what it shows: it was still quiet by
    then. If a policy waits longer, the rest is drawn among the attempts that were quiet for longer. That is Efron's
    redistribution to the right, and gives the Kaplan-Meier estimate of the first-content times.
    """

    def __init__(self, attempts: Sequence[tuple[AttemptSource, Donor]]) -> None:
        self._donors: dict[AttemptSource, list[Donor]] = {}
        for source, donor in attempts:
            failure = donor.timeline.failure
            if failure is None or failure.cause not in _OF_THE_REQUEST:
                self._donors.setdefault(source, []).append(donor)
        for donors in self._donors.values():
            donors.sort(key=_quiet_until)

    def draw(self, source: AttemptSource, chance: float, *, call: int, quiet_for: float = -1.0) -> AttemptTimeline:
        """Return an attempt that was quiet for longer than ``quiet_for`` seconds. ``call``: it is of another one.

        ``chance``: uniform in [0, 1). Raises `UnknownError` if there are too few.
        """
        donors = self._donors.get(source, ())
        first = bisect_right(donors, quiet_for, key=_quiet_until)
        others = len(donors) - first
        if others < FEWEST:
            what = f"attempts without content after {quiet_for:.3g} s" if quiet_for >= 0 else "attempts"
            kind = f"{what} that resume by {source.resume!r}" if source.resume else what
            raise UnknownError(f"too few {kind} of {source.model} at {source.host} in this hour: {others} of {FEWEST}")
        place = first + int(chance * others)
        for step in range(others):
            donor = donors[first + (place - first + step) % others]
            if donor.call != call:
                return donor.timeline
        raise UnknownError(f"no attempt of another call of {source.model} at {source.host} in this hour")


def _quiet_until(donor: Donor) -> float:
    return donor.timeline.quiet_until
