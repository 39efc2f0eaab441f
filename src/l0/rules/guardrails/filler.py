"""Report filler: endless white space or punctuation, or one character or syllable over and over.

Numbers are exempt: the decimals of 1/3 are an endless row of 3s.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from string import punctuation, whitespace
from typing import ClassVar

from l0.model.policy import PolicyError
from l0.model.rule import Ending, Severity, Violation

from ..families import Family

_FILLER = whitespace + punctuation + "\u00a0\u00b7\u2013\u2014\u2026\u2022\u2500\u2501\u2550\u3000\u200b\ufeff"
"""Characters that count as no content."""
_BLOCK = 64
"""Characters of a block. The text is checked block by block. Blocks begin at fixed offsets of the text, so that the
result does not depend on how the text arrives."""
_MAX_UNIT = 8
"""Maximum length of a repeated unit, in characters."""

_BLANK_FAMILIES = frozenset({Family.FILLER})
_UNIT_FAMILIES = frozenset({Family.FILLER, Family.LOOP})


@dataclass(frozen=True, slots=True, kw_only=True)
class StallRule:
    """A rule against filler. ``limit``: allowed characters in a row of white space and punctuation, or of blocks of 64
    characters that repeat one short unit each. At least two blocks."""

    limit: int = 600
    severity: Severity = Severity.ERROR
    name: str = "stall"
    span: int | None = _BLOCK

    def __post_init__(self) -> None:
        if not isinstance(self.limit, int) or isinstance(self.limit, bool) or self.limit < 2 * _BLOCK:
            raise PolicyError("stall_rule.limit", self.limit, f"a whole number of characters, {2 * _BLOCK} or more")

    specificity: ClassVar[int] = 1

    @property
    def covers(self) -> Mapping[Family, Severity]:
        """Return the severity of each family that the rule can report."""
        return dict.fromkeys(_UNIT_FAMILIES, self.severity)

    def check(self) -> StallCheck:
        """Return the check of one answer."""
        return StallCheck(self)


class StallCheck:
    """The check of one answer.

    ``_blank_run``: characters since the last one that is not in `_FILLER`. ``_unit_run``: characters since the last
    block that did not repeat one unit.
    """

    __slots__ = ("_done", "_unit_run", "_length", "_part", "_rule", "_blank_run")

    def __init__(self, rule: StallRule) -> None:
        self._rule = rule
        self._part = ""
        self._length = 0
        self._blank_run = 0
        self._unit_run = 0
        self._done = False

    def feed(self, text: str) -> Sequence[Violation]:
        """Check the blocks that are complete."""
        if self._done:
            return ()
        part = self._part + text
        if len(part) < _BLOCK:
            self._part = part
            return ()
        start = 0
        while len(part) - start >= _BLOCK:
            found = self._check_block(part[start : start + _BLOCK])
            if found:
                self._done = True
                return found
            start += _BLOCK
        self._part = part[start:]
        return ()

    def finish(self, ending: Ending) -> Sequence[Violation]:  # noqa: ARG002 - tool calls beside the text do not excuse filler
        """Check the last block."""
        return self._check_block(self._part) if self._part and not self._done else ()

    def _check_block(self, block: str) -> Sequence[Violation]:
        length, limit = self._length, self._rule.limit
        self._length += len(block)
        content = block.lstrip(_FILLER)
        blank_run = self._blank_run + len(block) - len(content)
        if blank_run > limit:
            at = length - self._blank_run + limit
            return self._violation("the text goes on without a letter or digit", at, _BLANK_FAMILIES)
        self._blank_run = len(content) - len(content.rstrip(_FILLER)) if content else blank_run
        self._unit_run = self._unit_run + len(block) if content and _is_one_unit(block) else 0
        if self._unit_run > limit:
            return self._violation("the text repeats short units", length, _UNIT_FAMILIES)
        return ()

    def _violation(self, message: str, at: int, families: frozenset[Family]) -> Sequence[Violation]:
        rule = self._rule
        return (Violation(rule=rule.name, message=message, severity=rule.severity, at=at, families=families),)


def _is_one_unit(block: str) -> bool:
    """Return True if a block consists of one short unit over and over, and is not a number."""
    half = len(block) // 2
    period = block.find(block[:half], 1, half + _MAX_UNIT)
    if period < 0 or block[period:] != block[:-period]:
        return False
    return not all(char.isdecimal() or char in _FILLER for char in set(block))
