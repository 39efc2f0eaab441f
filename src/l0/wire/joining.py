"""Where a new attempt's text meets what the user already has. Pure: pieces of text in, what is new of them out."""

from __future__ import annotations

from typing import Protocol

_TAIL = 4096
"""Characters at the end of a text that a continuation may repeat; it may also begin from the start."""
LEAST_OVERLAP = 16
"""Characters. A shorter match is more likely a repetition that the model meant."""


class Diverged(Exception):  # noqa: N818 - an event, turned into a failure at once
    """The new answer is another one."""


class Joint(Protocol):
    """How one strategy joins."""

    def pass_on(self, piece: str) -> str:
        """What is new of the next piece of text. Raises `Diverged`."""
        ...

    def flush(self) -> str:
        """What was still being looked at, once the text is over."""
        ...

    @property
    def reached(self) -> bool:
        """Whether all that the user has is behind us."""
        ...


class Replayed:
    """The same answer again: it is swallowed as long as it is the same, character by character."""

    def __init__(self, text: str) -> None:
        self._left = text

    @property
    def reached(self) -> bool:
        return not self._left

    def pass_on(self, piece: str) -> str:
        left = self._left
        if not left:
            return piece
        if left.startswith(piece):
            self._left = left[len(piece) :]
            return ""
        if piece.startswith(left):
            self._left = ""
            return piece[len(left) :]
        raise Diverged

    def flush(self) -> str:
        if self._left:
            raise Diverged
        return ""


class Continued:
    """The model goes on from its own text, of which white space at the end was not sent: it may come again."""

    def __init__(self, text: str) -> None:
        self._space = text[len(text.rstrip()) :]

    @property
    def reached(self) -> bool:
        return not self._space

    def pass_on(self, piece: str) -> str:
        while self._space and piece.startswith(self._space[0]):
            self._space, piece = self._space[1:], piece[1:]
        if piece:
            self._space = ""
        return piece

    def flush(self) -> str:
        return ""


class Spliced:
    """A continuation by instruction: models like to repeat the end of what they are to continue, or all of it."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._matched = 0
        self._seen: str | None = None
        self.reached = False

    def pass_on(self, piece: str) -> str:
        if self.reached:
            return piece
        if self._seen is None:
            if self._text.startswith(piece, self._matched):
                self._matched += len(piece)
                return ""
            self._seen = self._text[: self._matched]
        self._seen += piece
        if self._seen in self._text[-_TAIL:]:
            return ""  # more text may show that it repeats even more
        return self.flush()

    def flush(self) -> str:
        if self.reached:
            return ""
        text, seen = self._text, self._text[: self._matched] if self._seen is None else self._seen
        self.reached = True
        if seen.startswith(text):
            return seen[len(text) :]  # it began from the start
        repeated, shared = _same(text, seen), overlap(text, seen)
        if repeated >= LEAST_OVERLAP and shared < repeated:
            raise Diverged  # it began from the start, and then said something else
        return seen[shared:]


def _same(one: str, other: str) -> int:
    """How many characters two texts have in common from the start."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (here, there) in pairs if here != there), min(len(one), len(other)))


def overlap(before: str, after: str) -> int:
    """The longest end of ``before`` that ``after`` begins with; 0 where it is shorter than `LEAST_OVERLAP`."""
    for length in range(min(len(before), len(after)), LEAST_OVERLAP - 1, -1):
        if before.endswith(after[:length]):
            return length
    return 0


def joint(strategy: str, text: str) -> Joint:
    """The joint of a strategy, at ``text``."""
    if strategy == "exact":
        return Replayed(text)
    return Spliced(text) if strategy == "splice" else Continued(text)
