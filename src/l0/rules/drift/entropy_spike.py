"""Detect entropy spikes: ordinary text turns into random letters, symbols or scripts.

The detector counts pairs of neighbouring characters. In English, German and Spanish about one pair in a hundred is
unlikely; in random letters nearly every second one is. It compares the rate with the answer's own past, so that an
answer that uses unusual notation from the start is not reported.
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import pairwise
from typing import ClassVar

from ..families import Family
from .detector import CountWindow, DriftFinding, Thresholds, confidence
from .segments import Segment

_MIN_PAIRS = 40
"""Shortest stretch that is judged, in pairs."""
_FOLLOWERS = {
    **dict.fromkeys("aeiou", "abcdefghijklmnopqrstuvwxyz"),
    "b": "aeiouylrsbtdjmnvhwgf",
    "c": "aeiouyhklrtcsnqz",
    "d": "aeiouyrdslgnmvwjhtfkbz",
    "f": "aeioulrftsygubhdknz",
    "g": "aeiouhlrnsgtyubdmkwz",
    "h": "aeiouyrtnlmwsdkgb",
    "j": "aeiou",
    "k": "aeiouylnrstwhkmbgz",
    "l": "aeiouydltksfmvpbgcnwhz",
    "m": "aeioubpmsnyftlkwhgd",
    "n": "abcdefghijklmnopqrstuvwyz",
    "p": "aeiourlhtpsyfnmwkbg",
    "q": "u",
    "r": "abcdefghijklmnopstuvwyz",
    "s": "abcdefghijklmnopqrstuvwyz",
    "t": "abcdefghijklmnoprstuvwyz",
    "v": "aeiouyrl",
    "w": "aeiouhnrslytdkbmfcg",
    "x": "aeioptcuylsxq",
    "y": "aeiosnlmptrbcdgwzufhkx",
    "z": "aeioutwzlykbghnsmv",
}
"""Letters that may follow a letter in words of the three languages, including compounds and common loanwords."""
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_SYMBOLS = "#$%^&~<>{}\\=+@!"
_UNLIKELY = frozenset(
    [(one, other) for one in _LETTERS for other in _LETTERS if other not in _FOLLOWERS[one]]
    + [(letter, symbol) for letter in _LETTERS for symbol in _SYMBOLS if symbol != "!"]
    + [(symbol, letter) for letter in _LETTERS for symbol in _SYMBOLS]
    + [(one, other) for one in _SYMBOLS for other in _SYMBOLS if one != other]
)
"""Letters that do not follow each other, two different symbols, and a letter beside a symbol, except before a ``!``."""
_PAIRED_WITH_VOWELS = f"{_SYMBOLS}q".encode()
"""Characters that form an unlikely pair with a vowel."""
_CONSONANTS = bytes(code if chr(code) in set(_LETTERS) - set("aeiou") else ord(" ") for code in range(256))
"""Table for `bytes.translate`: every character that is not a consonant becomes a blank."""
_SUSPICIOUS = 0.08
"""Share of unlikely pairs above which a segment is counted again without its notation."""
_NOTATION = re.compile(
    r"`+[^`]*`*|\$[^$]*\$?|https?://\S+|</?\w[^>]*>|<\|[^|]*\|>|\S*\d\S*|\S*[a-z][A-Z]\S*|\S{25,}|\b[A-Z]{2,}\b|\S+[@#]\S+\.\w+"
)
"""Code, formulas, links, tags, keys and acronyms: they contain unlikely pairs in correct text, too."""
_CODE_LINE = ("    ", "\t", ">>> ", "$ ")
_LATEX = re.compile(r"\\_|\\[a-zA-Z]{2,}|\\[()\[\]]")
_MOJIBAKE = re.compile(r"[\u0120\u010a\u0109\u0122\u0123\ufffd]|[ÃÂÐÑâ][^\sA-Za-z]")
"""Text that was decoded with the wrong encoding, or byte by byte."""
_MOJIBAKE_WEIGHT = 3
"""One place with a wrong encoding counts as this many unlikely pairs."""
_VOWELS = "aeiouyäöüáéíóú"
_ASCII_VOWELS = _VOWELS.encode("ascii", "ignore")
_FEW_VOWELS, _USUAL_VOWELS = 0.2, 0.35
"""Share of vowels below which a text lacks vowels, and the share up to which they are missing."""
_SCRIPTS = re.compile(
    r"([A-Za-zÀ-ɏ]+)|([Ͱ-Ͽ]+)|([Ѐ-ԯ]+)|([\u0590-\u08ff]+)|([\u0900-\u0eff]+)|([\u3040-\u30ff\u3400-\u9fff]+)|([\uac00-\ud7af]+)"
)
_FOREIGN = re.compile(r"[Ͱ-ԯ\u0590-\u0eff\u3040-\u9fff\uac00-\ud7af]")
_MANY_SCRIPTS = 4
"""Number of scripts in a segment from which changes between them count."""
_SCRIPT_CHANGE_WEIGHT = 3
"""A change of script counts as this many unlikely pairs, since a word has many pairs but only one such change."""


class EntropySpike:
    """Compares the share of unlikely pairs in the densest part of the window with that before the window."""

    MESSAGE: ClassVar[str] = "the answer turns into random characters"
    FAMILIES: ClassVar = frozenset({Family.GARBLED})
    USES_WINDOW: ClassVar[bool] = True
    __slots__ = ("_pairs", "_threshold", "_unlikely", "_window")

    def __init__(self, thresholds: Thresholds) -> None:
        self._window = CountWindow(thresholds.window)
        self._threshold = thresholds.disorder
        self._pairs = self._unlikely = 0.0

    def read(self, segment: Segment) -> DriftFinding | None:
        if segment.code_language is not None or segment.text.startswith(_CODE_LINE):
            return None
        pairs, unlikely = _count_pairs(segment.text, segment.lowered)
        # The baseline holds only what has left the window, so that a spike does not raise its own threshold.
        past_pairs, past_unlikely = self._window.add(segment.at, pairs, unlikely)
        self._pairs += past_pairs
        self._unlikely += past_unlikely
        if not unlikely:
            return None
        at, rate = self._window.densest(_MIN_PAIRS, 1)
        baseline = self._unlikely / self._pairs if self._pairs else 0.0
        return DriftFinding(at=at, confidence=confidence(rate - baseline, self._threshold)) if rate > baseline else None


def _count_pairs(text: str, lowered: str) -> tuple[float, float]:
    """Return the number of pairs of a segment, and the weight of the unlikely ones."""
    unlikely = _unlikely(lowered)
    # Notation is removed only from suspicious segments: the pattern is slow, and most segments do not need it.
    if unlikely > _SUSPICIOUS * len(text):
        if _LATEX.search(text):
            return 0.0, 0.0
        text = _NOTATION.sub(" ", text)
        unlikely = _unlikely(text.lower())
    if not text.isascii():
        mojibake, changes = len(_MOJIBAKE.findall(text)), _script_changes(text)
        unlikely += _MOJIBAKE_WEIGHT * mojibake + _SCRIPT_CHANGE_WEIGHT * changes
    return len(text), unlikely


def _unlikely(lowered: str) -> float:
    """Return the number of unlikely pairs plus the number of missing vowels.

    In ordinary text only neighbouring consonants can form an unlikely pair. There are few clusters of consonants and
    they recur, so their counts are cached.
    """
    if not lowered.isascii():
        pairs = sum(map(_UNLIKELY.__contains__, pairwise(lowered)))
        return pairs + _missing_vowels(lowered, sum(map(lowered.count, _VOWELS)))
    # `bytes.translate` runs in C, unlike a loop over the characters; cached clusters cover most of the text.
    raw = lowered.encode()
    if len(raw.translate(None, _PAIRED_WITH_VOWELS)) == len(raw):
        pairs = sum(map(_unlikely_in_cluster, raw.translate(_CONSONANTS).decode().split()))
    else:
        pairs = sum(map(_UNLIKELY.__contains__, pairwise(lowered)))
    return pairs + _missing_vowels(lowered, len(raw) - len(raw.translate(None, _ASCII_VOWELS)))


@lru_cache(maxsize=1024)
def _unlikely_in_cluster(consonants: str) -> int:
    return sum(map(_UNLIKELY.__contains__, pairwise(consonants)))


def _missing_vowels(lowered: str, vowels: int) -> float:
    """Return how many vowels a text of Latin letters lacks, if it has hardly any; 0.0 for ordinary text."""
    if vowels > _FEW_VOWELS * len(lowered):
        return 0.0
    letters = sum(letter in _LETTERS for letter in lowered)
    return _USUAL_VOWELS * letters - vowels if vowels < _FEW_VOWELS * letters else 0.0


def _script_changes(text: str) -> int:
    """Count the changes between scripts; 0 unless a text has many scripts and changes after most of its words."""
    if not _FOREIGN.search(text):
        return 0
    runs = list(_SCRIPTS.finditer(text))
    if len({run.lastindex for run in runs}) < _MANY_SCRIPTS:
        return 0
    changes = sum(one.lastindex != other.lastindex for one, other in pairwise(runs))
    return changes if 2 * changes > len(runs) else 0
