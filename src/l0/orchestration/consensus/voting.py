"""What a number of answers agree on, and whether those that are still to come can change it. Pure.

An answer's support is the weight of all answers that are alike to it, its own included. The most supported answer wins.
It is settled once no answer that is unlike it could overtake it, if all that is missing were for the other. Whatever
never answers supports nothing, but counts: agreement is a share of all that were asked.

Structures are decided field by field: each field by itself, the agreement of the whole being that of its weakest field.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

Alike = Callable[[Any, Any], bool]
_SLACK = 1e-9
"""Weights are floats, and their sums are not exact."""


class Absent:
    """Stands for a field that an answer does not have."""

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT = Absent()


@dataclass(frozen=True, slots=True, kw_only=True)
class Vote:
    """One answer. ``voter``: which task's; ``weight``: how much it counts."""

    voter: int
    value: Any
    weight: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ballot:
    """What is voted on. ``total``: weight of all that were asked; ``missing``: of those that may still answer.

    ``needed``: support that makes an agreement; ``voices``: answers that it takes at least, whatever their weight.
    """

    alike: Alike
    total: float
    missing: float
    needed: float
    voices: int = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """How a vote stands. ``agreement``: 0 to 1. ``supporters``: whose answers are alike to ``value``.

    ``agreed``: the support is enough. ``hopeless``: it cannot become enough any more. ``settled``: what is missing
    cannot change ``value``. ``tied``: an answer that is unlike has as much support. ``fields``: of a structure.
    """

    value: Any
    agreement: float
    supporters: frozenset[int]
    agreed: bool
    hopeless: bool
    settled: bool
    tied: bool
    fields: Mapping[str, Decision] = field(default_factory=dict)


def decide(votes: Sequence[Vote], ballot: Ballot) -> Decision:
    """The decision as it stands, from the answers so far: at least one."""
    structures = [vote for vote in votes if isinstance(vote.value, Mapping)]
    structured, others = _weight(structures), _weight(votes) - _weight(structures)
    if structures and structured > others:
        shape = [replace(vote, value=None if isinstance(vote.value, Mapping) else ABSENT) for vote in votes]
        return _by_field(structures, _by_likeness(shape, ballot), ballot)
    found = _by_likeness(votes, ballot)
    # Should most turn out to be structures after all, they would be compared field by field.
    return replace(found, settled=found.settled and structured + ballot.missing <= others)


def _by_likeness(votes: Sequence[Vote], ballot: Ballot) -> Decision:
    camps = [[other for other in votes if _same(vote.value, other.value, ballot.alike)] for vote in votes]
    support = [_weight(camp) for camp in camps]
    # Among equals: the heavier voter, then the first.
    won = max(range(len(votes)), key=lambda i: (support[i], votes[i].weight, -votes[i].voter))
    supporters = frozenset(vote.voter for vote in camps[won])
    rival = max((support[i] for i, vote in enumerate(votes) if vote.voter not in supporters), default=0.0)
    tied = rival >= support[won] - _SLACK
    enough = support[won] >= ballot.needed - _SLACK and len(supporters) >= ballot.voices
    return Decision(
        value=votes[won].value,
        agreement=support[won] / ballot.total,
        supporters=supporters,
        agreed=enough and not tied,
        hopeless=max(support) + ballot.missing < ballot.needed - _SLACK,
        settled=support[won] > rival + ballot.missing + _SLACK,
        tied=tied,
    )


def _by_field(votes: Sequence[Vote], shape: Decision, ballot: Ballot) -> Decision:
    """``shape``: the decision that it is a structure at all; which also says that it has no further field."""
    names = dict.fromkeys(name for vote in votes for name in vote.value)
    fields = {
        name: decide(
            [Vote(voter=vote.voter, value=vote.value.get(name, ABSENT), weight=vote.weight) for vote in votes], ballot
        )
        for name in names
    }
    parts = [shape, *fields.values()]
    return Decision(
        value={name: part.value for name, part in fields.items() if part.value is not ABSENT},
        agreement=min(part.agreement for part in parts),
        supporters=frozenset.intersection(*(part.supporters for part in parts)),
        agreed=all(part.agreed for part in parts),
        hopeless=any(part.hopeless for part in parts),
        settled=all(part.settled for part in parts),
        tied=any(part.tied for part in parts),
        fields=fields,
    )


def _same(left: Any, right: Any, alike: Alike) -> bool:
    if left is right:
        return True
    if left is ABSENT or right is ABSENT:
        return False
    return alike(left, right)


def _weight(votes: Sequence[Vote]) -> float:
    return sum(vote.weight for vote in votes)
