"""Carry the state of a broken answer from one attempt to the next, to resume it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ResumeState:
    """The part of an answer that the user has received.

    ``text``: the text of the first choice. ``shape``: the position in the answer's structure, in a form that its
    dialect defines. ``marks``: values that must stay consistent to the end (ids, sequence numbers).
    """

    text: str = field(repr=False)
    shape: Any = field(default=None, repr=False)
    response_id: str | None = None
    marks: Mapping[str, Any] = field(default_factory=dict, repr=False)
