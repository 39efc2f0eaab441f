"""A text that goes round in circles: the same passage, again and again, with nothing in between.

Some repetition is language, code or data. What goes beyond ``times`` in a row and 30 words is a loop: models fall into
it and stay there until their output limit.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from l0.values.policy import PolicyError
from l0.values.rules import Ending, Severity, Violation

_LONGEST = 40
_SPACELESS = "\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3"
"""Scripts that put no space between words: each sign counts as one."""
_WORD = re.compile(rf"[{_SPACELESS}]|[^\W{_SPACELESS}]{{1,{_LONGEST}}}")
_ASCII_SIGNS = bytes(code if chr(code).isalnum() or code == ord("_") else ord(" ") for code in range(128)).ljust(256)
"""For `bytes.translate`: whatever belongs to no word becomes a blank."""
_LEAST = 30
"""Words of a loop beyond its first round: a refrain is shorter, and so is a row of equal numbers."""
_SHINGLE = 4
"""Words that must recur before a passage counts as said before."""
_DATA = frozenset({"null", "true", "false", "none", "nan", "na", "yes", "no", "x", "o"})
_STRETCH = 64
"""Characters that are cut into words at a time, while nothing repeats itself."""
_BATCH = 17
"""Words from mark to mark; in between, none is remembered. A prime, lest it falls into step with a loop."""
_FARTHEST = 2048
"""Words of the longest passage that is known again."""
_REMEMBERED = 2 * _FARTHEST
"""Words that are kept at least; no more than twice as many ever are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RepetitionRule:
    """``times``: how often a passage may stand in a row. What is beyond that is the violation, not what led to it."""

    times: int = 4
    severity: Severity = Severity.ERROR
    name: str = "repetition"
    span: int | None = _STRETCH

    def __post_init__(self) -> None:
        if not isinstance(self.times, int) or isinstance(self.times, bool) or self.times < 2:
            raise PolicyError("repetition_rule.times", self.times, "a whole number, 2 or more")

    def check(self) -> RepetitionCheck:
        """A check of one more answer."""
        return RepetitionCheck(self)


class RepetitionCheck:
    """Every so many words ``_seen`` marks a place by the words there. Where they come again, each word from then on is
    compared with the one that far back, and ``_run`` counts how many were the same. ``_dropped``: words no longer kept.
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
        self._part = ""
        self._length = 0
        self._words: list[str] = []
        self._batch: list[str] = []
        self._dropped = 0
        self._seen: dict[tuple[str, ...], int] = {}
        self._period = 0
        self._run = 0
        self._done = False

    def feed(self, text: str) -> Sequence[Violation]:
        """Reads the words that are complete by now."""
        if self._done:
            return ()
        self._length += len(text)
        text = self._part + text
        if len(text) < _STRETCH and not self._period:
            self._part = text
            return ()
        words = _words(text)
        self._part = ""
        if words and text.endswith(words[-1]) and len(words[-1]) < _LONGEST:
            self._part = words.pop()
        return self._read(words, text)

    def finish(self, ending: Ending) -> Sequence[Violation]:  # noqa: ARG002 - only words are counted
        """Reads the last words."""
        return () if self._done else self._read(_words(self._part), self._part)

    def _read(self, words: list[str], text: str) -> Sequence[Violation]:
        number, count = 0, len(words)
        while number < count:
            if self._period:
                number = self._follow(words, number)
                if self._done:
                    return (self._found(number, text),)
                continue
            missing = _BATCH - len(self._batch)
            self._batch += words[number : number + missing]
            number += missing
            if len(self._batch) == _BATCH:
                batch, self._batch = self._batch, []
                self._search(batch)
        return ()

    def _follow(self, words: list[str], number: int) -> int:
        """Reads words of what may be a loop, up to the first that is none of it, or is one too many."""
        known, period = self._words, self._period
        enough = max(_LEAST, period * (self._rule.times - 1))
        for each in range(number, len(words)):
            known.append(words[each])
            if known[-1 - period] != words[each]:
                self._period = 0
                return each + 1
            self._run += 1
            if self._run >= enough and self._is_loop():
                self._done = True
                return each
            if len(known) > 2 * _REMEMBERED:
                self._forget()
        return len(words)

    def _search(self, batch: list[str]) -> None:
        """Looks whether words of a batch stood at a mark, and all that follows them in the batch behind it as well."""
        known, seen = self._words, self._seen
        start = max(0, len(known) - _SHINGLE + 1)
        known += batch
        last = known[start:]
        first = (last[0], last[1], last[2], last[3])
        place = start + self._dropped
        if first in seen and self._recurs(start, place - seen[first]):
            return
        seen[first] = place
        if not seen.keys().isdisjoint(zip(last[1:], last[2:], last[3:], last[4:], strict=False)):
            for number, shingle in enumerate(zip(last[1:], last[2:], last[3:], last[4:], strict=False), 1):
                if shingle in seen and self._recurs(start + number, place + number - seen[shingle]):
                    return
        if len(known) > 2 * _REMEMBERED:
            self._forget()

    def _recurs(self, start: int, period: int) -> bool:
        """Whether all words from ``start`` on are those that stand ``period`` words before."""
        known = self._words
        if period > min(start, _FARTHEST) or known[start:] != known[start - period : len(known) - period]:
            return False
        self._period, self._run = period, len(known) - start
        return True

    def _forget(self) -> None:
        surplus = len(self._words) - _REMEMBERED
        del self._words[:surplus]
        self._dropped += surplus
        self._seen = {shingle: place for shingle, place in self._seen.items() if place >= self._dropped}

    def _is_loop(self) -> bool:
        """Data may repeat as it likes: a matrix of zeros says something."""
        passage = self._words[-self._period :]
        return any(word.isidentifier() and word.lower() not in _DATA for word in passage)

    def _found(self, number: int, text: str) -> Violation:
        """``number``: of the word that was one too many, among those of the text."""
        self._words, self._batch, self._seen = [], [], {}
        start = next(islice(_WORD.finditer(text), number, None)).start()
        at = self._length - len(text) + start
        rule = self._rule
        return Violation(rule=rule.name, message="a passage repeats itself", severity=rule.severity, at=at)


def _words(text: str) -> list[str]:
    """All words of a text."""
    if text.isascii():
        words = text.encode().translate(_ASCII_SIGNS).decode().split()
        if not words or max(map(len, words)) <= _LONGEST:
            return words
    return _WORD.findall(text)
