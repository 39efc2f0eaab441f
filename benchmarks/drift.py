"""What drift costs: `python -m benchmarks.drift` (`--tokens`, `--interval`, `--json`).

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
from functools import lru_cache
from itertools import cycle, islice
from pathlib import Path
from time import process_time

from l0.drift.rule import TYPES, Drift
from l0.values.rules import Ending

LENGTHS = (2_000, 20_000, 100_000, 1_000_000)
_TEXTS = Path(__file__).parents[1] / "tests" / "quality" / "drift.jsonl"
_TOKEN = re.compile(r"\s?\w{1,6}|\s?[^\w\s]|\s+")
_LEAST_TOKENS = 200_000
"""Short answers are read several times over, so that every figure rests on as many tokens."""


def main() -> int:
    """0 when all is measured, whatever came out."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.drift", description=__doc__)
    parser.add_argument("--tokens", type=int, nargs="+", default=LENGTHS, help="lengths of the answers")
    parser.add_argument("--interval", type=int, default=10, help="tokens between two checks (default 10)")
    parser.add_argument("--json", action="store_true", help="print JSON, one object a row")
    asked = parser.parse_args()
    rules = {"all": Drift()} | {kind: _alone(kind) for kind in TYPES}
    for name, rule in rules.items():
        for length in asked.tokens:
            row = {"drift": name, "tokens": length, "us_per_token": measure(rule, length, asked.interval)}
            line = f"{name:18} {length:>9,} tokens {row['us_per_token']:7.3f} us a token"
            sys.stdout.write((json.dumps(row) if asked.json else line) + "\n")
            sys.stdout.flush()
    return 0


def measure(rule: Drift, length: int, interval: int) -> float:
    """Microseconds of CPU a token: the best of several rounds."""
    tokens = list(islice(cycle(_tokens()), length))
    feeds = ["".join(tokens[at : at + interval]) for at in range(0, length, interval)]
    answers = max(1, _LEAST_TOKENS // (length * 5))
    best = min(_read(rule, feeds, answers) for _ in range(5 if length < 1_000_000 else 2))
    return round(best / (length * answers) * 1e6, 3)


def _read(rule: Drift, feeds: Sequence[str], answers: int) -> float:
    told = 0
    start = process_time()
    for _ in range(answers):
        check = rule.check()
        for text in feeds:
            told += len(check.feed(text))
        check.finish(Ending())
    taken = process_time() - start
    if told:
        raise RuntimeError("a detector stopped at what it found: this measures less than it says")
    return taken


def _alone(kind: str) -> Drift:
    return Drift(**{other: other == kind for other in TYPES})  # type: ignore[arg-type]


@lru_cache(maxsize=1)
def _tokens() -> list[str]:
    rows = map(json.loads, _TEXTS.read_text(encoding="utf-8").splitlines())
    chosen: list[str] = []
    for text in (row["text"] for row in rows if not row["labels"]):
        if not _told([*chosen, text] * 2):
            chosen.append(text)
    return _TOKEN.findall("\n\n".join([*chosen, ""]))


def _told(texts: Sequence[str]) -> bool:
    check = Drift().check()
    return bool(check.feed("\n\n".join(texts)) or check.finish(Ending()))


if __name__ == "__main__":
    raise SystemExit(main())
