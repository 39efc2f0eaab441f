"""Chunks: the windows of a document, and their merge."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from l0.migration import ChunkAliases
from l0.model.policy import PolicyError


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk(ChunkAliases):
    """One window of a document: ``content`` is the text from ``start`` to ``end`` (offsets in characters).

    ``index``: number of the window, from 0. ``last``: true for the last window. ``before``, ``after``: text of the
    previous and the next window that is not part of this one.
    """

    index: int
    content: str
    start: int
    last: bool
    before: str = field(default="", repr=False)
    after: str = field(default="", repr=False)

    @property
    def end(self) -> int:
        """Return the offset of the end of the window, in characters."""
        return self.start + len(self.content)

    @property
    def first(self) -> bool:
        """Return True for the first window of the document."""
        return self.index == 0

    def widened(self, share: float) -> Chunk:
        """Return the window with more context: on each side ``share`` of its length, limited to its neighbours."""
        width = round(len(self.content) * share)
        before = self.before[max(0, len(self.before) - width) :]
        return replace(self, start=self.start - len(before), content=before + self.content + self.after[:width])


def merge(chunks: Iterable[Chunk]) -> str:
    """Restore the document from its windows in order. Overlapping text is kept once.

    Raises `PolicyError` if a window is missing.
    """
    parts: list[str] = []
    merged_to: int | None = None
    for chunk in chunks:
        merged_to = chunk.start if merged_to is None else merged_to
        if chunk.start > merged_to:
            raise PolicyError("merge", f"windows with a gap of {chunk.start - merged_to} characters", "all, in order")
        parts.append(chunk.content[merged_to - chunk.start :])
        merged_to = max(merged_to, chunk.end)
    return "".join(parts)
