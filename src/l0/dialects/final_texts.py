"""Compare the final texts in an answer with their joined deltas: a difference proves a lost or duplicated delta.

An event with a final text has the place of its deltas: the index of the item, and of the part in that item. Some
gateways number places differently, leave final texts empty, or send only final texts. That is not a difference.
"""

from __future__ import annotations

import json
from collections.abc import Hashable
from enum import Enum


class Agreement(Enum):
    """The degree to which a final text agrees with the deltas."""

    SAME = "same"
    NEARLY = "nearly"
    """Equal except for white space, or equal to the text of another place; or the final text is empty."""
    ALONE = "alone"
    """No delta came for any place: only the final text brings this text."""
    DIFFERENT = "different"


class FinalTexts:
    """The fragments of one kind of text, by place. Readers write to ``fragments`` directly, because they do so once per
    token."""

    def __init__(self) -> None:
        self.fragments: dict[Hashable, list[str]] = {}
        self._final_only: dict[Hashable, str] = {}
        """Final texts that came without deltas, by place."""

    def compare(self, place: Hashable, final: object) -> Agreement:
        """Compare a final text with the deltas of its place. If no delta came, remember the text for later
        comparisons."""
        if type(final) is not str or not final:
            return Agreement.NEARLY if place in self.fragments else Agreement.SAME
        fragments = self.fragments.get(place)
        if fragments is not None:
            if _joined(fragments) == final:
                return Agreement.SAME
        elif self._final_only.get(place) == final:
            return Agreement.SAME
        if any(_alike(other, final) for other in (*map(_joined, self.fragments.values()), *self._final_only.values())):
            return Agreement.NEARLY
        if self.fragments or place in self._final_only:
            return Agreement.DIFFERENT
        self._final_only[place] = final
        return Agreement.ALONE


def _joined(fragments: list[str]) -> str:
    """Return the joined fragments, and replace them by the result, so that the next call need not join them again."""
    if len(fragments) != 1:
        fragments[:] = ["".join(fragments)]
    return fragments[0]


def _alike(one: str, other: str) -> bool:
    return one.strip() == other.strip()


def same_arguments(one: str, other: str) -> bool:
    """Return True if two texts are the same JSON. Empty arguments are the same as any others: some events omit them."""
    if one == other or not one or not other:
        return True
    try:
        return bool(json.loads(one) == json.loads(other))
    except (ValueError, RecursionError):
        return one.strip() == other.strip()
