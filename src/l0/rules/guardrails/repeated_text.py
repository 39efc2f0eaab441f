"""Report a loop: the same passage many times in a row, with nothing in between.

Some repetition is normal in language, code and data. A passage that occurs more than ``times`` in a row is a loop, if
its repeats have 30 words or more together: a model that falls into a loop stays in it until its output limit.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import ClassVar

from l0.model.policy import PolicyError
from l0.model.rule import Ending, Severity, Violation

from ..families import Family

_MAX_WORD = 40
"""Characters after which a longer word is split."""
_SPACELESS = "\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3"
"""Scripts without spaces between words: each character counts as one word."""
_WORD = re.compile(rf"[{_SPACELESS}]|[^\W{_SPACELESS}]{{1,{_MAX_WORD}}}")
_ASCII_SIGNS = bytes(code if chr(code).isalnum() or code == ord("_") else ord(" ") for code in range(128)).ljust(256)
"""Table for `bytes.translate`: characters that are not part of a word become blanks."""
_MIN_EXCESS_WORDS = 30
"""Fewest words of a loop after its first round. Refrains and rows of equal numbers are shorter."""
_SHINGLE = 4
"""Number of words in a row that are looked up. They must recur before a passage counts as repeated."""
_DATA = frozenset({"null", "true", "false", "none", "nan", "na", "yes", "no", "x", "o"})
_TEXT_BLOCK = 64
"""Characters that are split into words at a time while nothing repeats."""
_BATCH = 17
"""Every so many words a mark is set; only the `_SHINGLE` words at marks are remembered. So a loop may be found up to
two batches late. The number is a prime, so that marks do not align with a loop."""
_MAX_PERIOD = 2048
"""Words of the longest passage whose repetition is detected."""
_KEPT_WORDS = 2 * _MAX_PERIOD
"""Minimum number of words that are kept. At most twice as many are kept."""

_FAMILIES = frozenset({Family.LOOP})


@dataclass(frozen=True, slots=True, kw_only=True)
class RepetitionRule:
    """A rule against loops. ``times``: how often a passage may occur in a row; one more occurrence is a violation."""

    times: int = 4
    severity: Severity = Severity.ERROR
    name: str = "repetition"
    span: int | None = _TEXT_BLOCK

    def __post_init__(self) -> None:
        if not isinstance(self.times, int) or isinstance(self.times, bool) or self.times < 2:
            raise PolicyError("repetition_rule.times", self.times, "a whole number, 2 or more")

    specificity: ClassVar[int] = 1

    @property
    def covers(self) -> Mapping[Family, Severity]:
        """Return the severity of each family that the rule can report."""
        return {Family.LOOP: self.severity}

    def check(self) -> RepetitionCheck:
        """Return the check of one answer."""
        return RepetitionCheck(self)


class RepetitionCheck:
    """The check of one answer.

    ``_seen`` maps the words at marks, set every `_BATCH` words, to their places. If they occur again, each further word
    is compared with the word one period before, and ``_run`` counts the equal ones. ``_dropped``: number of words no
    longer kept.
    """

    __slots__ = (
        "_batch",
        "_done",
        "_dropped",
        "_length",
        "_part",
        "_period",
        "_rule",
        "_run",
        "_seen",
        "_words",
    )

    def __init__(self, rule: RepetitionRule) -> None:
        self._rule = rule
        self._part = ""  # text that is not split into words yet
        self._length = 0  # characters so far
        self._words: list[str] = []
        self._batch: list[str] = []  # words since the last mark
        self._dropped = 0
        self._seen: dict[tuple[str, ...], int] = {}
        self._period = 0  # words of the passage that may repeat; 0 if none does
        self._run = 0
        self._done = False

    def feed(self, text: str) -> Sequence[Violation]:
        """Read the words that are complete."""
        if self._done:
            return ()
        self._length += len(text)
        text = self._part + text
        if len(text) < _TEXT_BLOCK and not self._period:
            self._part = text
            return ()
        words = _words(text)
        self._part = ""
        if words and text.endswith(words[-1]) and len(words[-1]) < _MAX_WORD:
            self._part = words.pop()
        return self._read(words, text)

    def finish(self, ending: Ending) -> Sequence[Violation]:  # noqa: ARG002 - only text is checked
        """Read the last words."""
        return () if self._done else self._read(_words(self._part), self._part)

    def _read(self, words: list[str], text: str) -> Sequence[Violation]:
        number, count = 0, len(words)
        while number < count:
            if self._period:
                number = self._follow(words, number)
                if self._done:
                    return (self._violation(number, text),)
                continue
            missing = _BATCH - len(self._batch)
            self._batch += words[number : number + missing]
            number += missing
            if len(self._batch) == _BATCH:
                batch, self._batch = self._batch, []
                self._search(batch)
        return ()

    def _follow(self, words: list[str], number: int) -> int:
        """Read words of a possible loop, up to the first that does not belong to it or exceeds the limit."""
        known, period = self._words, self._period
        enough = max(_MIN_EXCESS_WORDS, period * (self._rule.times - 1) + 1)
        for each in range(number, len(words)):
            known.append(words[each])
            if known[-1 - period] != words[each]:
                self._period = 0
                return each + 1
            self._run += 1
            # Asked once: each later passage of this run consists of the same words, in another order.
            if self._run == enough and self._is_loop():
                self._done = True
                return each
            if len(known) > 2 * _KEPT_WORDS:
                self._forget()
        return len(words)

    def _search(self, batch: list[str]) -> None:
        """Search a batch for words at a mark, and start a loop if all further words of the batch recur as well."""
        known, seen = self._words, self._seen
        start = max(0, len(known) - _SHINGLE + 1)
        known += batch
        last = known[start:]
        first = (last[0], last[1], last[2], last[3])
        place = start + self._dropped
        if first in seen and self._recurs(start, place - seen[first]):
            return
        seen[first] = place
        # One set operation in C rejects most batches before the Python loop.
        if not seen.keys().isdisjoint(zip(last[1:], last[2:], last[3:], last[4:], strict=False)):
            for number, shingle in enumerate(zip(last[1:], last[2:], last[3:], last[4:], strict=False), 1):
                if shingle in seen and self._recurs(start + number, place + number - seen[shingle]):
                    return
        if len(known) > 2 * _KEPT_WORDS:
            self._forget()

    def _recurs(self, start: int, period: int) -> bool:
        """Return True if all words from ``start`` on equal those ``period`` words before."""
        known = self._words
        if period > min(start, _MAX_PERIOD) or known[start:] != known[start - period : len(known) - period]:
            return False
        self._period, self._run = period, len(known) - start
        return True

    def _forget(self) -> None:
        surplus = len(self._words) - _KEPT_WORDS
        del self._words[:surplus]
        self._dropped += surplus
        self._seen = {shingle: place for shingle, place in self._seen.items() if place >= self._dropped}

    def _is_loop(self) -> bool:
        """Return False for data, which may repeat without limit: a matrix of zeros is valid content."""
        passage = self._words[-self._period :]
        return any(word.isidentifier() and word.lower() not in _DATA for word in passage)

    def _violation(self, number: int, text: str) -> Violation:
        """Return the violation. ``number``: index of the first excess word within ``text``."""
        self._words, self._batch, self._seen = [], [], {}
        start = next(islice(_WORD.finditer(text), number, None)).start()
        at = self._length - len(text) + start
        rule = self._rule
        return Violation(
            rule=rule.name,
            message="a passage is repeated too often in a row",
            severity=rule.severity,
            at=at,
            families=_FAMILIES,
        )


def _words(text: str) -> list[str]:
    """Return all words of a text."""
    if text.isascii():  # `bytes.translate` and `split` are faster than the regular expression
        words = text.encode().translate(_ASCII_SIGNS).decode().split()
        if not words or max(map(len, words)) <= _MAX_WORD:
            return words
    return _WORD.findall(text)
