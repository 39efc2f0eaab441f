"""The recorded attempts from which attempts that were not recorded are drawn."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from hashlib import blake2b
from typing import NamedTuple

from l0.model.failure import Category
from l0.model.policy import ResumeMode

from .attempt_timeline import AttemptTimeline

FEWEST = 5
"""The fewest comparable attempts from which one is drawn. With fewer, the result is unknown."""
_OWN_CATEGORIES = frozenset({Category.FATAL, Category.INTERNAL})
"""The categories of failures that concern their own request: its key, its model, its content. Such an attempt does not
show what would happen to another request."""
_HASH_BITS = 64


class UnknownError(Exception):
    """The recordings do not show what would have happened. The message says what is missing."""


class AttemptGroup(NamedTuple):
    """The properties that comparable attempts have in common.

    ``host``: of the provider, with its port. ``resume``: how the attempt resumes an answer; ``None`` if it starts anew.
    ``hour``: of its start, in hours since the Unix epoch.
    """

    host: str
    model: str
    dialect: str
    streaming: bool
    resume: ResumeMode | None
    hour: int


class Donor(NamedTuple):
    """A recorded attempt that can stand in for one of another call, and the number of its own call.

    Statistics calls it so: imputation fills a gap with the value of a donor.
    """

    call: int
    timeline: AttemptTimeline


def uniform(seed: int, *purpose: object) -> float:
    """Return a number in [0, 1) that depends only on the seed and the purpose.

    The same draw of a call thus has the same luck under every policy, which makes policies comparable.
    """
    digest = blake2b(repr((seed, *purpose)).encode(), digest_size=_HASH_BITS // 8).digest()
    return int.from_bytes(digest) / 2.0**_HASH_BITS


class AttemptPool:
    """All recorded attempts, by group.

    An attempt whose recording was cut off before its first content shows only that it brought none until then. If a
    policy waits longer, the rest is drawn from the attempts that brought no content for longer. That is Efron's
    redistribution to the right, and gives the Kaplan-Meier estimate of the first-content times.
    """

    def __init__(self, attempts: Sequence[tuple[AttemptGroup, Donor]]) -> None:
        self._donors: dict[AttemptGroup, list[Donor]] = {}
        for group, donor in attempts:
            failure = donor.timeline.failure
            if failure is None or failure.category not in _OWN_CATEGORIES:
                self._donors.setdefault(group, []).append(donor)
        for donors in self._donors.values():
            donors.sort(key=_quiet_until)

    def draw(self, group: AttemptGroup, chance: float, *, call: int, quiet_for: float = -1.0) -> AttemptTimeline:
        """Return an attempt that brought no content for longer than ``quiet_for`` seconds.

        ``chance``: uniform in [0, 1). ``call``: the number of the call that needs the attempt; attempts of its own are
        not drawn. Raises `UnknownError` if there are fewer than `FEWEST`, or none of another call.
        """
        donors = self._donors.get(group, ())
        first = bisect_right(donors, quiet_for, key=_quiet_until)
        number = len(donors) - first
        if number < FEWEST:
            what = f"attempts without content after {quiet_for:.3g} s" if quiet_for >= 0 else "attempts"
            kind = f"{what} that resume by {group.resume!r}" if group.resume else what
            raise UnknownError(f"too few {kind} of {group.model} at {group.host} in this hour: {number} of {FEWEST}")
        drawn = int(chance * number)
        for step in range(number):
            donor = donors[first + (drawn + step) % number]
            if donor.call != call:
                return donor.timeline
        raise UnknownError(f"no attempt of another call of {group.model} at {group.host} in this hour")


def _quiet_until(donor: Donor) -> float:
    return donor.timeline.first_content_or_end
