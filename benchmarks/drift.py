"""Measure the cost of drift detection: `python -m benchmarks.drift` (`--tokens`, `--interval`, `--json`).

An answer made of the project's own labelled clean texts, over and over, in feeds of one check interval; what counts is
CPU time. Rows are microseconds a token by length, for all types together and for each alone (the cutting into sentences
is in each). A detector that finds something stops and costs nothing any more, so the texts are such that none does.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Sequence
from functools import cache
from itertools import chain, cycle, islice
from math import inf
from pathlib import Path
from time import process_time

from l0.model.rule import Ending
from l0.rules.drift.drift_rule import TYPES, Drift

LENGTHS = (2_000, 20_000, 100_000, 1_000_000)
_TEXTS = Path(__file__).parents[1] / "tests" / "quality" / "drift.jsonl"
_ROUNDS = 3
_TOKEN = re.compile(r"\s?\w{1,6}|\s?[^\w\s]|\s+")


def main() -> int:
    """0 when all is measured, whatever came out."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.drift", description=__doc__)
    parser.add_argument("--tokens", type=int, nargs="+", default=LENGTHS, help="lengths of the answers")
    parser.add_argument("--interval", type=int, default=10, help="tokens between two checks (default 10)")
    parser.add_argument("--json", action="store_true", help="print JSON, one object a row")
    asked = parser.parse_args()
    rules = {"all": Drift()} | {kind: _alone(kind) for kind in TYPES}
    for name, rule in rules.items():
        for length, microseconds in measure(rule, asked.tokens, asked.interval).items():
            row = {"drift": name, "tokens": length, "us_per_token": microseconds}
            line = f"{name:18} {length:>9,} tokens {microseconds:7.3f} us a token"
            sys.stdout.write((json.dumps(row) if asked.json else line) + "\n")
            sys.stdout.flush()
    return 0


def measure(rule: Drift, lengths: Sequence[int], interval: int) -> dict[int, float]:
    """Microseconds of CPU a token by length: the best of rounds, the lengths in turn.

    At each length as many tokens are read as the longest answer has, in so many answers.
    """
    answers = {length: _answers(length, max(lengths) // length, interval) for length in lengths}
    best: dict[int, float] = dict.fromkeys(lengths, inf)
    for _ in range(_ROUNDS):
        for length, each in answers.items():
            best[length] = min(best[length], _read(rule, each) / (len(each) * length))
    return {length: round(seconds * 1e6, 3) for length, seconds in best.items()}


def _read(rule: Drift, answers: Sequence[Sequence[str]]) -> float:
    told = 0
    start = process_time()
    for feeds in answers:
        check = rule.check()
        for text in feeds:
            told += len(check.feed(text))
        check.finish(Ending())
        del check  # what it held is given back within the time
    taken = process_time() - start
    if told:
        raise RuntimeError("a detector stopped at what it found: this measures less than it says")
    return taken


@cache
def _answers(length: int, number: int, interval: int) -> list[list[str]]:
    """They begin at one text after the other, as all of them together make up the long ones."""
    starts = range(len(_texts())) if number > 1 else range(1)
    silent = [start for start in starts if not _told(_feeds(start, length, interval))]
    if not silent:
        raise RuntimeError(f"no answer of {length:,} tokens in which nothing is found")
    return [_feeds(start, length, interval) for start in islice(cycle(silent), number)]


def _feeds(start: int, length: int, interval: int) -> list[str]:
    texts = _texts()
    words = list(islice(chain.from_iterable(cycle([*texts[start:], *texts[:start]])), length))
    return ["".join(words[at : at + interval]) for at in range(0, length, interval)]


def _alone(kind: str) -> Drift:
    return Drift(**{other: other == kind for other in TYPES})  # type: ignore[arg-type]


@cache
def _texts() -> list[list[str]]:
    """Labelled clean texts in which nothing is found, whatever of them came before; each as tokens."""
    rows = map(json.loads, _TEXTS.read_text(encoding="utf-8").splitlines())
    chosen: list[str] = []
    for text in (f"{row['text']}\n\n" for row in rows if not row["labels"]):
        if not _told([*chosen, text] * 2):
            chosen.append(text)
    return [_TOKEN.findall(text) for text in chosen]


def _told(feeds: Sequence[str]) -> bool:
    check = Drift().check()
    return any(check.feed(text) for text in feeds) or bool(check.finish(Ending()))


if __name__ == "__main__":
    raise SystemExit(main())
