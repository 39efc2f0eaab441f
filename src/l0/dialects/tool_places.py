"""Distinguish the tool calls of a chat answer whose indices do not identify them.

Gemini sends parallel calls with index 0, or without an index. text-generation-inference sends each fragment of one call
with another index.
"""

from __future__ import annotations

from collections.abc import Hashable

from .deltas import ToolCallDelta


class ToolPlaces:
    """The tool calls so far. The place of a call is its index, with its id if an earlier call had the same index."""

    def __init__(self) -> None:
        self._calls: dict[Hashable, tuple[Hashable, str]] = {}
        """By index: the place and the id of the latest call with that index."""
        self._latest: dict[int, Hashable] = {}
        """The place of the latest call of each choice."""

    def place_of(self, delta: ToolCallDelta) -> Hashable:
        """Return the place of the call that a delta starts or continues."""
        index: Hashable = delta.place
        place, call_id = self._calls.get(index, (None, ""))
        if place is None:
            if not delta.name and not delta.id and delta.choice in self._latest:
                return self._latest[delta.choice]
            place = index
        elif delta.name and delta.id and call_id and delta.id != call_id:  # later fragments of a call have no name
            place = (index, delta.id)
        self._calls[index] = place, delta.id or call_id
        self._latest[delta.choice] = place
        return place
