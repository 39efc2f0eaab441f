"""Carry the state of a broken answer from one attempt to the next, to resume it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ResumeState:
    """The part of an answer that has arrived and that another attempt continues.

    ``text``: the text of the first choice. ``held``: the number of characters at its end that the user does not have
    yet, because the next attempt holds them (``hold="verified"``). ``other_events``: the number of events that carried
    none of this text. ``ended``: True if the end of the answer has arrived, so that no text can follow.
    ``response_id``: the provider's id of the answer; ``None`` if it sent none.
    ``reader_state``: what the reader of the next attempt needs from this one (ids, sequence numbers, open blocks).
    """

    text: str = field(repr=False)
    held: int = 0
    other_events: int = field(default=0, repr=False)
    ended: bool = False
    response_id: str | None = None
    reader_state: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def delivered(self) -> int:
        """The number of characters of the text that the user has."""
        return len(self.text) - self.held
