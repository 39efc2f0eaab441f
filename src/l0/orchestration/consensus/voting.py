"""Decide what several answers agree on, and if missing answers can still change it. Pure.

The support of an answer is the weight of all answers that are alike to it, including itself. The most supported answer
wins. It is settled if no other answer can overtake it, even if all missing weight supports the other one. Tasks that
never answer support nothing, but count: agreement is a share of all tasks.

Structures are decided field by field. The agreement of a structure is that of its weakest field.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

Alike = Callable[[Any, Any], bool]
SLACK = 1e-9
"""Tolerance of comparisons, since sums of float weights are not exact."""


class Absent:
    """Value of a field that an answer does not have."""

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT = Absent()


@dataclass(frozen=True, slots=True, kw_only=True)
class Vote:
    """One answer. ``voter``: index of its task. ``weight``: its weight in the vote."""

    voter: int
    value: Any
    weight: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ballot:
    """The rules of a vote. ``total``: weight of all tasks. ``missing``: weight of the tasks that may still answer.

    ``needed``: support that an agreement requires. ``min_answers``: minimum number of supporting answers,
    whatever their weight.
    """

    alike: Alike
    total: float
    missing: float
    needed: float
    min_answers: int = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The state of a vote. ``agreement``: 0 to 1. ``supporters``: indices of the tasks that support ``value``.

    ``agreed``: the support is sufficient. ``hopeless``: it cannot become sufficient any more. ``settled``: missing
    answers cannot change ``value``. ``tied``: a different answer has the same support. ``fields``: decisions on the
    fields of a structure.
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
    """Return the current decision from the answers so far. ``votes``: one or more."""
    structures = [vote for vote in votes if isinstance(vote.value, Mapping)]
    structured, others = _weight(structures), _weight(votes) - _weight(structures)
    if structures and structured > others:
        shape = [replace(vote, value=None if isinstance(vote.value, Mapping) else ABSENT) for vote in votes]
        return _by_field(structures, _by_likeness(shape, ballot), ballot)
    found = _by_likeness(votes, ballot)
    # Missing answers may still make structures the majority, which would then be compared field by field.
    return replace(found, settled=found.settled and structured + ballot.missing <= others)


def _by_likeness(votes: Sequence[Vote], ballot: Ballot) -> Decision:
    supporting = [[other for other in votes if _same(vote.value, other.value, ballot.alike)] for vote in votes]
    support = [_weight(supporters) for supporters in supporting]
    # Ties: the answer with the higher weight wins, then the first.
    won = max(range(len(votes)), key=lambda i: (support[i], votes[i].weight, -votes[i].voter))
    supporters = frozenset(vote.voter for vote in supporting[won])
    rival = max((support[i] for i, vote in enumerate(votes) if vote.voter not in supporters), default=0.0)
    tied = rival >= support[won] - SLACK
    enough = support[won] >= ballot.needed - SLACK and len(supporters) >= ballot.min_answers
    return Decision(
        value=votes[won].value,
        agreement=support[won] / ballot.total,
        supporters=supporters,
        agreed=enough and not tied,
        hopeless=max(support) + ballot.missing < ballot.needed - SLACK,
        settled=support[won] > rival + ballot.missing + SLACK,
        tied=tied,
    )


def _by_field(votes: Sequence[Vote], shape: Decision, ballot: Ballot) -> Decision:
    """Decide each field. ``shape``: the decision that the answer is a structure. The result is as weak as its weakest
    part, ``shape`` included."""
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
