"""What one attempt leaves to the next, where a broken answer is taken up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ResumeState:
    """What the user has of the answer.

    ``text``: of the first choice. ``shape``: how far its structure had come, in the dialect's own terms. ``marks``:
    what must stay the same to the end (ids, numbers that count on).
    """

    text: str = field(repr=False)
    shape: Any = field(default=None, repr=False)
    response_id: str | None = None
    marks: Mapping[str, Any] = field(default_factory=dict, repr=False)
