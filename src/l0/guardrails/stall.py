"""A text that goes on without saying anything: white space without end, one sign or syllable over and over.

Numbers are exempt: a third is 0.333 with as many threes as anybody asks for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from string import punctuation, whitespace

from l0.values.policy import PolicyError
from l0.values.rules import Ending, Severity, Violation

_QUIET = whitespace + punctuation + "\u00a0\u00b7\u2013\u2014\u2026\u2022\u2500\u2501\u2550\u3000\u200b\ufeff"
"""Signs that say nothing by themselves."""
_BLOCK = 64
"""Characters that are compared with themselves: blocks begin at fixed places of the text."""
_LONGEST = 8
"""Characters of a sound."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StallRule:
    """``limit``: characters without a letter or a digit, or of nothing but one short sound, that are still no stall."""

    limit: int = 600
    severity: Severity = Severity.ERROR
    name: str = "stall"
    span: int | None = _BLOCK

    def __post_init__(self) -> None:
        if not isinstance(self.limit, int) or isinstance(self.limit, bool) or self.limit < 2 * _BLOCK:
            raise PolicyError("stall_rule.limit", self.limit, f"a whole number of characters, {2 * _BLOCK} or more")

    def check(self) -> StallCheck:
        """A check of one more answer."""
        return StallCheck(self)


class StallCheck:
    """``_silence``: characters since the last that said something; ``_drone``: since the last block with a change."""

    __slots__ = ("_done", "_drone", "_length", "_part", "_rule", "_silence")

    def __init__(self, rule: StallRule) -> None:
        self._rule = rule
        self._part = ""
        self._length = 0
        self._silence = 0
        self._drone = 0
        self._done = False

    def feed(self, text: str) -> Sequence[Violation]:
        """Reads the blocks that are complete by now."""
        if self._done:
            return ()
        part = self._part + text
        if len(part) < _BLOCK:
            self._part = part
            return ()
        start = 0
        while len(part) - start >= _BLOCK:
            found = self._block(part[start : start + _BLOCK])
            if found:
                self._done = True
                return found
            start += _BLOCK
        self._part = part[start:]
        return ()

    def finish(self, ending: Ending) -> Sequence[Violation]:  # noqa: ARG002 - tools do not make up for noise
        """Reads the last block."""
        return self._block(self._part) if self._part and not self._done else ()

    def _block(self, block: str) -> Sequence[Violation]:
        length, limit = self._length, self._rule.limit
        self._length += len(block)
        said = block.lstrip(_QUIET)
        silence = self._silence + len(block) - len(said)
        if silence > limit:
            return self._found("the text goes on without a word", length - self._silence + limit)
        self._silence = len(said) - len(said.rstrip(_QUIET)) if said else silence
        self._drone = self._drone + len(block) if said and _drones(block) else 0
        if self._drone > limit:
            return self._found("the text goes on with the same sound", length)
        return ()

    def _found(self, message: str, at: int) -> Sequence[Violation]:
        rule = self._rule
        return (Violation(rule=rule.name, message=message, severity=rule.severity, at=at),)


def _drones(block: str) -> bool:
    """Whether it is one short sound over and over, and no number."""
    half = len(block) // 2
    period = block.find(block[:half], 1, half + _LONGEST)
    if period < 0 or block[period:] != block[:-period]:
        return False
    return not all(sign.isdecimal() or sign in _QUIET for sign in set(block))
