"""One window of a document."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from l0.values.policy import PolicyError


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """A window: ``content`` is the document from the character ``start`` to the character ``end``.

    ``index``: its number, from 0. ``last``: the document ends with it. ``before``, ``after``: what of the windows
    beside it is not in it.
    """

    index: int
    content: str
    start: int
    last: bool
    before: str = field(default="", repr=False)
    after: str = field(default="", repr=False)

    @property
    def end(self) -> int:
        """Characters of the document before the end of the window."""
        return self.start + len(self.content)

    @property
    def first(self) -> bool:
        """The document begins with it."""
        return self.index == 0

    def widened(self, share: float) -> Chunk:
        """The window and what stands around it: on either side ``share`` of its length, as far as its neighbours
        reach."""
        room = round(len(self.content) * share)
        before = self.before[max(0, len(self.before) - room) :]
        return replace(self, start=self.start - len(before), content=before + self.content + self.after[:room])


def merge(chunks: Iterable[Chunk]) -> str:
    """The document, from its windows in order: what overlaps stands in it once.

    Raises `PolicyError` where a window is missing.
    """
    parts: list[str] = []
    reached: int | None = None
    for chunk in chunks:
        reached = chunk.start if reached is None else reached
        if chunk.start > reached:
            raise PolicyError("merge", f"windows with a gap of {chunk.start - reached} characters", "all, in order")
        parts.append(chunk.content[reached - chunk.start :])
        reached = max(reached, chunk.end)
    return "".join(parts)
