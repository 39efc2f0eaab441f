"""Tell the tool calls of a chat apart, where their indices do not.

Gemini sends parallel calls under index 0, or without one; text-generation-inference numbers the tokens of one call.
"""

from __future__ import annotations

from collections.abc import Hashable

from .deltas import ToolCallDelta


class ToolPlaces:
    """The tool calls so far. A call is known by its index and, if another one had that index before, by its id."""

    def __init__(self) -> None:
        self._calls: dict[Hashable, tuple[Hashable, str]] = {}
        self._latest: dict[int, Hashable] = {}

    def of(self, delta: ToolCallDelta) -> Hashable:
        """Return the place of the call that a delta starts or continues."""
        place: Hashable = delta.place
        key, known = self._calls.get(place, (None, ""))
        if key is None:
            if not delta.name and not delta.id and delta.choice in self._latest:
                return self._latest[delta.choice]
            key = place
        elif delta.name and delta.id and known and delta.id != known:  # a fragment of the same call repeats no name
            key = (place, delta.id)
        self._calls[place] = key, delta.id or known
        self._latest[delta.choice] = key
        return key
