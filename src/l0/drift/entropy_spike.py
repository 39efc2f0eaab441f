"""Entropy spike: ordinary text turns into a soup of letters, symbols or scripts.

Measured by pairs of neighbours. In English, German and Spanish about one pair in a hundred is an unlikely one, in a
soup of random letters nearly every other. What counts is the rise over the answer's own past: an answer full of odd
notation is at home in it.
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import pairwise

from .findings import Finding, Window, confidence
from .segments import Segment

_LEAST_PAIRS = 40
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
"""What may follow a letter in words of the three languages, compounds and common loans included."""
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_SYMBOLS = "#$%^&~<>{}\\=+@!"
_UNLIKELY = frozenset(
    [(one, other) for one in _LETTERS for other in _LETTERS if other not in _FOLLOWERS[one]]
    + [(letter, symbol) for letter in _LETTERS for symbol in _SYMBOLS if symbol != "!"]
    + [(symbol, letter) for letter in _LETTERS for symbol in _SYMBOLS]
    + [(one, other) for one in _SYMBOLS for other in _SYMBOLS if one != other]
)
_ODD = f"{_SYMBOLS}q".encode()
"""What makes an unlikely pair with a vowel."""
_CONSONANTS = bytes(code if chr(code) in set(_LETTERS) - set("aeiou") else ord(" ") for code in range(256))
"""For `bytes.translate`: whatever else becomes a blank."""
_SUSPICIOUS = 0.08
_NOTATION = re.compile(
    r"`+[^`]*`*|\$[^$]*\$?|https?://\S+|</?\w[^>]*>|<\|[^|]*\|>|\S*\d\S*|\S*[a-z][A-Z]\S*|\S{25,}|\b[A-Z]{2,}\b|\S+[@#]\S+\.\w+"
)
"""Code, formulas, links, tags, keys, acronyms: odd by right."""
_CODE_LINE = ("    ", "\t", ">>> ", "$ ")
_LATEX = re.compile(r"\\_|\\[a-zA-Z]{2,}|\\[()\[\]]")
_MOJIBAKE = re.compile(r"[\u0120\u010a\u0109\u0122\u0123\ufffd]|[ÃÂÐÑâ][^\sA-Za-z]")
"""What bytes look like that were read as characters of their own."""
_MOJIBAKE_WEIGHT = 3
_VOWELS = "aeiouyäöüáéíóú"
_ASCII_VOWELS = _VOWELS.encode("ascii", "ignore")
_FEW_VOWELS, _USUAL_VOWELS = 0.2, 0.35
_SCRIPTS = re.compile(
    r"([A-Za-zÀ-ɏ]+)|([Ͱ-Ͽ]+)|([Ѐ-ԯ]+)|([\u0590-\u08ff]+)|([\u0900-\u0eff]+)|([\u3040-\u30ff\u3400-\u9fff]+)|([\uac00-\ud7af]+)"
)
_FOREIGN = re.compile(r"[Ͱ-ԯ\u0590-\u0eff\u3040-\u9fff\uac00-\ud7af]")
_MANY_SCRIPTS = 4
_SEAM_WEIGHT = 3
"""A change of script weighs as much as so many unlikely pairs: a word holds one and many letters."""


class EntropySpike:
    """Unlikely pairs per pair, in the densest stretch of the window, over those of all that went before."""

    __slots__ = ("_pairs", "_threshold", "_unlikely", "_window")

    def __init__(self, *, window: int, threshold: float) -> None:
        self._window = Window(window)
        self._threshold = threshold
        self._pairs = self._unlikely = 0.0

    def take(self, segment: Segment) -> Finding | None:
        if segment.fence is not None or segment.text.startswith(_CODE_LINE):
            return None
        pairs, unlikely = _count(segment.text, segment.lowered)
        gone, gone_unlikely = self._window.add(segment.at, pairs, unlikely)
        self._pairs += gone
        self._unlikely += gone_unlikely
        if not unlikely:
            return None
        at, rate = self._window.densest(_LEAST_PAIRS, 1)
        usual = self._unlikely / self._pairs if self._pairs else 0.0
        return Finding(at=at, confidence=confidence(rate - usual, self._threshold)) if rate > usual else None


def _count(text: str, lowered: str) -> tuple[float, float]:
    """Pairs of a segment, and how many of them are unlikely."""
    unlikely = _unlikely(lowered)
    if unlikely > _SUSPICIOUS * len(text):
        if _LATEX.search(text):
            return 0.0, 0.0
        text = _NOTATION.sub(" ", text)
        unlikely = _unlikely(text.lower())
    if not text.isascii():
        unlikely += _MOJIBAKE_WEIGHT * len(_MOJIBAKE.findall(text)) + _SEAM_WEIGHT * _seams(text)
    return len(text), unlikely


def _unlikely(lowered: str) -> float:
    """Unlikely pairs, and missing vowels.

    In ordinary text only neighbouring consonants can make one: there are few clusters of these, and all come again.
    """
    if not lowered.isascii():
        pairs = sum(map(_UNLIKELY.__contains__, pairwise(lowered)))
        return pairs + _missing_vowels(lowered, sum(map(lowered.count, _VOWELS)))
    raw = lowered.encode()
    if len(raw.translate(None, _ODD)) == len(raw):
        pairs = sum(map(_in_cluster, raw.translate(_CONSONANTS).decode().split()))
    else:
        pairs = sum(map(_UNLIKELY.__contains__, pairwise(lowered)))
    return pairs + _missing_vowels(lowered, len(raw) - len(raw.translate(None, _ASCII_VOWELS)))


@lru_cache(maxsize=1024)
def _in_cluster(consonants: str) -> int:
    return sum(map(_UNLIKELY.__contains__, pairwise(consonants)))


def _missing_vowels(lowered: str, vowels: int) -> float:
    """How many vowels a text of Latin letters lacks that has hardly any."""
    if vowels > _FEW_VOWELS * len(lowered):
        return 0.0
    letters = sum(letter in _LETTERS for letter in lowered)
    return _USUAL_VOWELS * letters - vowels if vowels < _FEW_VOWELS * letters else 0.0


def _seams(text: str) -> int:
    """Changes from one script to another, in a text that has many and changes with most of its words."""
    if not _FOREIGN.search(text):
        return 0
    runs = list(_SCRIPTS.finditer(text))
    if len({run.lastindex for run in runs}) < _MANY_SCRIPTS:
        return 0
    seams = sum(one.lastindex != other.lastindex for one, other in pairwise(runs))
    return seams if 2 * seams > len(runs) else 0
