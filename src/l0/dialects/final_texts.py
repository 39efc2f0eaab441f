"""Compare the final texts that a provider states with the sum of their deltas: the proof of a lost or doubled delta.

A final text of an answer names the place of its deltas: the index of the item, and of the part in it. Gateways count
them differently, leave final texts empty, or send nothing but final texts. None of that is a difference.
"""

from __future__ import annotations

import json
from collections.abc import Hashable
from enum import Enum


class Agreement(Enum):
    """The relation of a final text to the deltas."""

    SAME = "same"
    NEARLY = "nearly"
    """The same except for white space or its place; or the final text is empty."""
    ALONE = "alone"
    """No delta of any place came: the final text is the only one."""
    DIFFERENT = "different"


class FinalTexts:
    """The fragments of one kind of text, by place. Dialects fill ``fragments`` inline: it is written once per token."""

    def __init__(self) -> None:
        self.fragments: dict[Hashable, list[str]] = {}
        self._stated: dict[Hashable, str] = {}

    def compare(self, place: Hashable, final: object) -> Agreement:
        """Compare a final text with the deltas of its place. If no delta came, keep it for the texts to come."""
        if type(final) is not str or not final:
            return Agreement.NEARLY if place in self.fragments else Agreement.SAME
        fragments = self.fragments.get(place)
        if fragments is not None:
            if _joined(fragments) == final:
                return Agreement.SAME
        elif self._stated.get(place) == final:
            return Agreement.SAME
        if any(_alike(other, final) for other in (*map(_joined, self.fragments.values()), *self._stated.values())):
            return Agreement.NEARLY
        if self.fragments or place in self._stated:
            return Agreement.DIFFERENT
        self._stated[place] = final
        return Agreement.ALONE


def _joined(fragments: list[str]) -> str:
    """Return the text of the fragments. They become one, so that the next final text costs no join."""
    if len(fragments) != 1:
        fragments[:] = ["".join(fragments)]
    return fragments[0]


def _alike(one: str, other: str) -> bool:
    return one.strip() == other.strip()


def same_arguments(one: str, other: str) -> bool:
    """Return True if two texts are the same JSON. Arguments that are not stated are the same as any."""
    if one == other or not one or not other:
        return True
    try:
        return bool(json.loads(one) == json.loads(other))
    except (ValueError, RecursionError):
        return one.strip() == other.strip()
