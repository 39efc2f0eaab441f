"""Resolve answers that do not agree: choose the best one, or merge all. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from .similarity import Similarity, is_list, likeness
from .voting import ABSENT, SLACK, Alike, Vote

_SENTENCE_END = re.compile(r"(?<=[.!?。！？])\s+|\n+")  # noqa: RUF001 - full-width signs are meant


class UnmergeableError(ValueError):
    """The values cannot be merged into one, and none of them has more weight than the others."""


def similarity_scores(votes: Sequence[Vote], similarity: Similarity) -> list[float]:
    """Return the default score of each answer: its similarity to the other answers, weighted."""
    return [
        vote.weight
        * sum(other.weight * likeness(vote.value, other.value, similarity) for other in votes if other is not vote)
        for vote in votes
    ]


def best(votes: Sequence[Vote], scores: Sequence[float]) -> Vote:
    """Return the answer with the highest score; among equal scores, the first."""
    return max(zip(votes, scores, strict=True), key=lambda pair: (pair[1], -pair[0].voter))[0]


def merged(votes: Sequence[Vote], alike: Alike) -> Any:
    """Merge all answers into one.

    Structures are merged field by field. A merged list has each different item once. A merged text has the sentences of
    the first answer and all different sentences of the others. Of other values, such as numbers, the one with the most
    weight is kept. Raises `UnmergeableError` if several of them have the most weight.
    """
    values = [vote.value for vote in votes]
    if all(isinstance(value, Mapping) for value in values):
        names = dict.fromkeys(name for value in values for name in value)
        return {name: merged(_votes_on_field(votes, name), alike) for name in names}
    if all(isinstance(value, str) for value in values):
        separator = "\n" if any("\n" in value.strip() for value in values) else " "
        return separator.join(_union([_SENTENCE_END.split(value.strip()) for value in values], alike))
    if all(is_list(value) for value in values):
        return _union(values, alike)
    weights = [sum(other.weight for other in votes if alike(vote.value, other.value)) for vote in votes]
    heaviest = best(votes, weights).value
    rivals = [vote.value for vote, weight in zip(votes, weights, strict=True) if weight >= max(weights) - SLACK]
    if not all(alike(heaviest, rival) for rival in rivals):
        raise UnmergeableError(", ".join(dict.fromkeys(map(repr, rivals))))
    return heaviest


def _votes_on_field(votes: Sequence[Vote], name: Any) -> list[Vote]:
    return [
        Vote(voter=vote.voter, value=vote.value[name], weight=vote.weight)
        for vote in votes
        if vote.value.get(name, ABSENT) is not ABSENT
    ]


def _union(lists: Sequence[Sequence[Any]], alike: Alike) -> list[Any]:
    union: list[Any] = []
    for items in lists:
        union += [item for item in items if not any(alike(item, kept) for kept in union)]
    return union
