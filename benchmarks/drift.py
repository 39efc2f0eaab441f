"""Measure the cost of drift detection: `python -m benchmarks.drift` (`--tokens`, `--interval`, `--json`).

The answers repeat the clean texts of the project's labelled data. Each feed has the tokens of one check interval. Rows
are CPU time in microseconds per token, by length, for all types together and for each alone (each includes splitting
into sentences). A detector that finds something stops, and costs nothing from then on; in these texts none does.
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
    """Return 0 once everything is measured, whatever the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.drift", description=__doc__)
    parser.add_argument("--tokens", type=int, nargs="+", default=LENGTHS, help="lengths of the answers")
    parser.add_argument("--interval", type=int, default=10, help="tokens between two checks (default 10)")
    parser.add_argument("--json", action="store_true", help="print JSON, one object per row")
    args = parser.parse_args()
    rules = {"all": Drift()} | {kind: _alone(kind) for kind in TYPES}
    for name, rule in rules.items():
        for length, microseconds in measure(rule, args.tokens, args.interval).items():
            row = {"drift": name, "tokens": length, "us_per_token": microseconds}
            line = f"{name:18} {length:>9,} tokens {microseconds:7.3f} us per token"
            sys.stdout.write((json.dumps(row) if args.json else line) + "\n")
            sys.stdout.flush()
    return 0


def measure(rule: Drift, lengths: Sequence[int], interval: int) -> dict[int, float]:
    """Return the microseconds of CPU time per token by length: the lowest of all rounds, with the lengths in turn.

    For every length the same number of tokens is read, that of the longest answer: of shorter answers, more are read.
    """
    answers = {length: _answers(length, max(lengths) // length, interval) for length in lengths}
    best: dict[int, float] = dict.fromkeys(lengths, inf)
    for _ in range(_ROUNDS):
        for length, of_length in answers.items():
            best[length] = min(best[length], _read(rule, of_length) / (len(of_length) * length))
    return {length: round(seconds * 1e6, 3) for length, seconds in best.items()}


def _read(rule: Drift, answers: Sequence[Sequence[str]]) -> float:
    """Return the seconds of CPU time that a rule takes for these answers."""
    findings = 0
    start = process_time()
    for feeds in answers:
        check = rule.check()
        for text in feeds:
            findings += len(check.feed(text))
        check.finish(Ending())
        del check  # so that the time includes freeing its memory
    seconds = process_time() - start
    if findings:
        raise RuntimeError("a detector found something and stopped, so the time is too short")
    return seconds


@cache
def _answers(length: int, number: int, interval: int) -> list[list[str]]:
    """Return the feeds of ``number`` answers. Each begins with the next text, because long answers have all of them."""
    starts = range(len(_texts())) if number > 1 else range(1)
    clean = [start for start in starts if not _finds(_feeds(start, length, interval))]
    if not clean:
        raise RuntimeError(f"no answer of {length:,} tokens in which nothing is found")
    return [_feeds(start, length, interval) for start in islice(cycle(clean), number)]


def _feeds(start: int, length: int, interval: int) -> list[str]:
    texts = _texts()
    words = list(islice(chain.from_iterable(cycle([*texts[start:], *texts[:start]])), length))
    return ["".join(words[at : at + interval]) for at in range(0, length, interval)]


def _alone(kind: str) -> Drift:
    return Drift(**{other: other == kind for other in TYPES})  # type: ignore[arg-type]


@cache
def _texts() -> list[list[str]]:
    """Return the tokens of each clean text in which nothing is found, even after all the texts before it."""
    rows = map(json.loads, _TEXTS.read_text(encoding="utf-8").splitlines())
    chosen: list[str] = []
    for text in (f"{row['text']}\n\n" for row in rows if not row["labels"]):
        if not _finds([*chosen, text] * 2):
            chosen.append(text)
    return [_TOKEN.findall(text) for text in chosen]


def _finds(feeds: Sequence[str]) -> bool:
    check = Drift().check()
    return any(check.feed(text) for text in feeds) or bool(check.finish(Ending()))


if __name__ == "__main__":
    raise SystemExit(main())
