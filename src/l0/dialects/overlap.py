"""Join the text of a new attempt to the text that the user already has: return only what is new in each fragment."""

from __future__ import annotations

from typing import Protocol

_TAIL = 4096
"""A continuation may repeat up to this many characters from the end of the old text. It may also repeat all of the
text."""
MIN_OVERLAP = 16
"""Minimum overlap in characters. The model may have intended a shorter repetition."""


class Diverged(Exception):  # noqa: N818 - not an error for the user: the caller turns it into a `Failure`
    """The new answer differs from the text that the user already has."""


class OverlapMatcher(Protocol):
    """A strategy for joining the text of one new attempt to the old text, which the user already has."""

    def pass_on(self, fragment: str) -> str:
        """Return the new part of the next fragment of text. Raises `Diverged`."""
        ...

    def flush(self) -> str:
        """Return the text that is still held back at the end of the new text. Raises `Diverged`."""
        ...

    @property
    def reached(self) -> bool:
        """Return True once all further text is new to the user."""
        ...


class ExactReplay:
    """Joins an exact replay: drops new text while it equals the old text, character by character."""

    def __init__(self, text: str) -> None:
        self._expected = text
        """The part of the old text that the replay has not repeated yet."""

    @property
    def reached(self) -> bool:
        return not self._expected

    def pass_on(self, fragment: str) -> str:
        expected = self._expected
        if not expected:
            return fragment
        if expected.startswith(fragment):
            self._expected = expected[len(fragment) :]
            return ""
        if fragment.startswith(expected):
            self._expected = ""
            return fragment[len(expected) :]
        raise Diverged

    def flush(self) -> str:
        if self._expected:
            raise Diverged
        return ""


class PrefillContinuation:
    """Joins a continuation from a prefill. Some providers repeat the old text first, with or without the white space at
    its end.

    ``stripped``: the request did not contain the white space at the end of the old text, so the new text may repeat it.
    """

    def __init__(self, text: str, *, stripped: bool) -> None:
        self._text = text if len(text) >= MIN_OVERLAP else ""
        """The old text, while the new one may still repeat it. A shorter text may be repeated by intention."""
        self._matched = 0
        """The length of the new text, while that is a prefix of the old one."""
        self._space = text[len(text.rstrip()) :] if stripped else ""

    @property
    def reached(self) -> bool:
        return not self._text and not self._space

    def pass_on(self, fragment: str) -> str:
        if self._text:
            if self._text.startswith(fragment, self._matched):
                self._matched += len(fragment)
                return ""  # hold it back: the next fragment may complete the repetition
            fragment = self._without_repetition(fragment)
        return self._without_space(fragment)

    def flush(self) -> str:
        return self._without_space(self._without_repetition("")) if self._text else ""

    def _without_repetition(self, fragment: str) -> str:
        text, self._text = self._text, ""
        new, bare = text[: self._matched] + fragment, text.rstrip()
        if new.startswith(text):
            self._space = ""
            return new[len(text) :]
        if not new.startswith(bare):
            return new
        self._space = text[len(bare) :]
        return new[len(bare) :]

    def _without_space(self, fragment: str) -> str:
        while self._space and fragment.startswith(self._space[0]):
            self._space, fragment = self._space[1:], fragment[1:]
        if fragment:
            self._space = ""
        return fragment


class SplicedContinuation:
    """Joins the answer to a request to continue. Models often repeat the end of the old text, or all of it."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._matched = 0
        """The length of the new text, while that is a prefix of the old one."""
        self._held: str | None = None
        """The new text, once it is not a prefix of the old one."""
        self.reached = False

    def pass_on(self, fragment: str) -> str:
        if self.reached:
            return fragment
        if self._held is None:
            # While the new text is a prefix of the old one, store only its length: joining texts takes quadratic time.
            if self._text.startswith(fragment, self._matched):
                self._matched += len(fragment)
                return ""
            self._held = self._text[: self._matched]
        self._held += fragment
        if self._held in self._text[-_TAIL:]:
            return ""  # hold it back: the next fragment may extend the repetition
        return self.flush()

    def flush(self) -> str:
        if self.reached:
            return ""
        text, new = self._text, self._text[: self._matched] if self._held is None else self._held
        self.reached = True
        if new.startswith(text):
            return new[len(text) :]  # the model repeated all of the old text
        repeated, shared = _common_prefix(text, new), overlap(text, new)
        # The model began to repeat the old text from its start, but then wrote other text. The end of repetitive text,
        # such as a list, resembles its start: most of what repeats one then also repeats the other.
        if repeated >= MIN_OVERLAP and 2 * shared < repeated:
            raise Diverged
        return new[shared:]


def _common_prefix(one: str, other: str) -> int:
    """Return the length of the common prefix of two texts, in characters."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((index for index, (a, b) in pairs if a != b), min(len(one), len(other)))


def overlap(before: str, after: str, shortest: int = MIN_OVERLAP) -> int:
    """Return the length of the longest suffix of ``before`` that is a prefix of ``after``, in characters.

    Return 0 if it is shorter than ``shortest``.
    """
    limit = min(len(before), len(after))
    if limit < shortest or after[:shortest] not in before[-limit:]:
        return 0
    # The algorithm of Knuth, Morris and Pratt: its time is linear, while comparing every length is quadratic.
    borders = [0] * limit
    for at in range(1, limit):
        borders[at] = _extended(borders[at - 1], after[at], after, borders)
    found = 0
    for char in before[-limit:]:
        found = _extended(borders[-1] if found == limit else found, char, after, borders)
    return found if found >= shortest else 0


def _extended(length: int, char: str, text: str, borders: list[int]) -> int:
    """Return the length of the longest prefix of ``text`` that ends with ``char``, after one of ``length`` characters.

    ``borders``: by the last index of each prefix, the length of its longest proper suffix that is a prefix.
    """
    while length and text[length] != char:
        length = borders[length - 1]
    return length + 1 if text[length] == char else 0


def overlap_matcher(strategy: str, text: str, *, stripped: bool = False) -> OverlapMatcher:
    """Create the matcher of a strategy: ``"exact"``, ``"splice"``, or any other for a continuation from a prefill.

    ``text``: the text that the user already has. ``stripped``: as `PrefillContinuation`.
    """
    if strategy == "exact":
        return ExactReplay(text)
    return SplicedContinuation(text) if strategy == "splice" else PrefillContinuation(text, stripped=stripped)
