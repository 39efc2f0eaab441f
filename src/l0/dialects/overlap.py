"""Join the text of a new attempt to the text that the user already has: return only what is new in each fragment."""

from __future__ import annotations

from typing import Protocol

_TAIL = 4096
"""Characters at the end of a text that a continuation may repeat. It may also repeat the text from the start."""
MIN_OVERLAP = 16
"""Minimum overlap in characters. A shorter match is more likely a repetition that the model intended."""


class Diverged(Exception):  # noqa: N818 - an event; the caller turns it into a failure immediately
    """The new answer differs from the text that the user already has."""


class OverlapMatcher(Protocol):
    """The strategy that joins the text of one new attempt."""

    def pass_on(self, fragment: str) -> str:
        """Return the new part of the next fragment of text. Raises `Diverged`."""
        ...

    def flush(self) -> str:
        """Return the text that is still held back, now that the new text has ended. Raises `Diverged`."""
        ...

    @property
    def reached(self) -> bool:
        """Return True if the new attempt has passed all text that the user already has."""
        ...


class ExactReplay:
    """Joins an exact replay: drops text as long as it equals the old text, character by character."""

    def __init__(self, text: str) -> None:
        self._left = text

    @property
    def reached(self) -> bool:
        return not self._left

    def pass_on(self, fragment: str) -> str:
        left = self._left
        if not left:
            return fragment
        if left.startswith(fragment):
            self._left = left[len(fragment) :]
            return ""
        if fragment.startswith(left):
            self._left = ""
            return fragment[len(left) :]
        raise Diverged

    def flush(self) -> str:
        if self._left:
            raise Diverged
        return ""


class PrefillContinuation:
    """Joins a continuation from a prefill. It may repeat white space at the end of the old text, which was not sent."""

    def __init__(self, text: str) -> None:
        self._space = text[len(text.rstrip()) :]

    @property
    def reached(self) -> bool:
        return not self._space

    def pass_on(self, fragment: str) -> str:
        while self._space and fragment.startswith(self._space[0]):
            self._space, fragment = self._space[1:], fragment[1:]
        if fragment:
            self._space = ""
        return fragment

    def flush(self) -> str:
        return ""


class SplicedContinuation:
    """Joins a continuation by instruction. Models often repeat the end of the old text, or all of it."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._matched = 0
        self._seen: str | None = None
        self.reached = False

    def pass_on(self, fragment: str) -> str:
        if self.reached:
            return fragment
        if self._seen is None:
            # While the new text equals the old text, only an offset is kept: this is linear in the length of the text.
            if self._text.startswith(fragment, self._matched):
                self._matched += len(fragment)
                return ""
            self._seen = self._text[: self._matched]
        self._seen += fragment
        if self._seen in self._text[-_TAIL:]:
            return ""  # wait: the next fragment may extend the repetition
        return self.flush()

    def flush(self) -> str:
        if self.reached:
            return ""
        text, seen = self._text, self._text[: self._matched] if self._seen is None else self._seen
        self.reached = True
        if seen.startswith(text):
            return seen[len(text) :]  # it repeated the text from the start
        repeated, shared = _common_prefix(text, seen), overlap(text, seen)
        if repeated >= MIN_OVERLAP and shared < repeated:
            raise Diverged  # it began to repeat the text from the start, and then differed
        return seen[shared:]


def _common_prefix(one: str, other: str) -> int:
    """Return the length of the common prefix of two texts, in characters."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (here, there) in pairs if here != there), min(len(one), len(other)))


def overlap(before: str, after: str, shortest: int = MIN_OVERLAP) -> int:
    """Return the length of the longest suffix of ``before`` that is a prefix of ``after``, in characters.

    Return 0 if it is shorter than ``shortest``.
    """
    for length in range(min(len(before), len(after)), shortest - 1, -1):
        if before.endswith(after[:length]):
            return length
    return 0


def overlap_matcher(strategy: str, text: str) -> OverlapMatcher:
    """Create the matcher of a strategy: ``"exact"``, ``"splice"``, or any other for a continuation from a prefill.

    ``text``: the text that the user already has.
    """
    if strategy == "exact":
        return ExactReplay(text)
    return SplicedContinuation(text) if strategy == "splice" else PrefillContinuation(text)
