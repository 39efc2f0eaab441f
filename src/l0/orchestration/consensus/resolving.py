"""What becomes of answers that do not agree. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from .likeness import Similarity, is_list, likeness
from .voting import ABSENT, Alike, Vote

_SENTENCE_END = re.compile(r"(?<=[.!?。！？])\s+|\n+")  # noqa: RUF001 - full-width signs are meant


def central(votes: Sequence[Vote], similarity: Similarity) -> list[float]:
    """A score for each answer where the user has none: how alike the others are to it, by their weight."""
    return [
        vote.weight
        * sum(other.weight * likeness(vote.value, other.value, similarity) for other in votes if other is not vote)
        for vote in votes
    ]


def best(votes: Sequence[Vote], scores: Sequence[float]) -> Vote:
    """The answer with the highest score; of equals the first."""
    return max(zip(votes, scores, strict=True), key=lambda pair: (pair[1], -pair[0].voter))[0]


def merged(votes: Sequence[Vote], alike: Alike) -> Any:
    """All answers in one. Structures: field by field; lists: what is in any of them, once; texts: the sentences of the
    first, and those of the others that say something else. Of anything else, what has the most weight."""
    values = [vote.value for vote in votes]
    if all(isinstance(value, Mapping) for value in values):
        names = dict.fromkeys(name for value in values for name in value)
        return {name: merged(_having(votes, name), alike) for name in names}
    if all(isinstance(value, str) for value in values):
        joint = "\n" if any("\n" in value.strip() for value in values) else " "
        return joint.join(_union([_SENTENCE_END.split(value.strip()) for value in values], alike))
    if all(is_list(value) for value in values):
        return _union(values, alike)
    weights = [sum(other.weight for other in votes if alike(vote.value, other.value)) for vote in votes]
    return best(votes, weights).value


def _having(votes: Sequence[Vote], name: Any) -> list[Vote]:
    return [
        Vote(voter=vote.voter, value=vote.value[name], weight=vote.weight)
        for vote in votes
        if vote.value.get(name, ABSENT) is not ABSENT
    ]


def _union(lists: Sequence[Sequence[Any]], alike: Alike) -> list[Any]:
    kept: list[Any] = []
    for parts in lists:
        kept += [part for part in parts if not any(alike(part, one) for one in kept)]
    return kept
